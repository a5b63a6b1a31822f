"""Training of the anomaly model; never needed on a station."""
