# A station on a Jetson, as a container; docs/jetson.md says how it is built and run.
#   docker build --file docker/jetson.Dockerfile --tag anomalygpt-edge:jetpack-6 .
# Linted, and every package was looked up for 64-bit ARM; it was never built or run on a board.

# NVIDIA's L4T image of JetPack 6.1: CUDA 12.6 and TensorRT 10.3 with its Python module.
ARG BASE=nvcr.io/nvidia/l4t-jetpack:r36.4.0

FROM ${BASE} AS made
# 6 or 7: whose CUDA the bindings are for.
ARG JETPACK=6
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
ENV VIRTUAL_ENV=/opt/anomalygpt-edge/.venv
ENV PATH=${VIRTUAL_ENV}/bin:${PATH}
RUN python3 -m venv --system-site-packages "${VIRTUAL_ENV}"
WORKDIR /src
COPY requirements requirements
# The image has no OpenCV of JetPack's to be in the way of.
RUN python -m pip install --no-cache-dir --no-deps --require-hashes --only-binary :all: \
    --requirement requirements/locked/jetpack-${JETPACK}-opencv.txt
COPY setup.py pyproject.toml README.md LICENSE NOTICE ./
COPY configs configs
COPY edge edge
COPY models models
COPY build_engines build_engines
RUN python -m pip install --no-cache-dir --no-deps --no-build-isolation . \
    && ANOMALYGPT_EDGE_CACHE=/tmp/cache python -m build_engines.language.llama_wheel --all \
    && rm -rf /tmp/cache

FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libaravis-0.8-0 libgomp1 python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home --groups video anomalygpt-edge \
    && install --directory --owner=anomalygpt-edge /data /cache
COPY --from=made /opt/anomalygpt-edge /opt/anomalygpt-edge
ENV PATH=/opt/anomalygpt-edge/.venv/bin:${PATH}
ENV ANOMALYGPT_EDGE_DATA=/data
ENV ANOMALYGPT_EDGE_CACHE=/cache
VOLUME ["/data", "/cache"]
USER 10001
ENTRYPOINT ["anomalygpt-edge"]
CMD ["run", "--plain", "/etc/anomalygpt-edge/station.yaml"]
