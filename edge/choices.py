"""The choices that a person makes in a station file or on a command line, each spelled out once."""

from __future__ import annotations

from typing import Literal

Precision = Literal["fp32", "bf16", "fp16", "int8", "int8-symmetric"]
"""What an encoder computes in: fp32, bf16 and int8 on CPUs, fp32, fp16 and int8-symmetric in TensorRT."""

VerdictSource = Literal["language", "calibration"]
"""Who can give a verdict: the language model, or the calibrated score."""

DecidedBy = Literal["language", "calibration", "either"]
"""Whose verdict counts; ``either``: a part is ng when one of the two says so."""

Runtime = Literal["openvino", "tensorrt"]
"""What computes the vision graph."""

LanguageDecides = Literal["language", "either"]
"""The ways of deciding in which the language model has a say."""

RequestedRuntime = Literal["auto", Runtime]

RequestedPrecision = Literal["auto", Precision]
"""``auto``: the fastest that passed its checks and that this machine has."""

Locate = Literal["none", "crop", "align"]
"""How a part is found in an image: not at all, or it is cut out, or cut out and turned."""

RequestedLocate = Literal["auto", Locate]
"""``auto``: whichever makes the references coincide."""

MOST_LOOKS = 36
"""In so many pieces at most a part is looked at."""

QueuePolicy = Literal["wait", "skip", "latest"]
"""What happens when more parts wait for inspection than there is room for."""

WhichParts = Literal["ng", "all", "none"]
"""The parts that are put into words, or whose images are kept."""

WaitPolicy = Literal["passive", "active"]
"""How llama.cpp's threads wait for work: asleep, or spinning."""
