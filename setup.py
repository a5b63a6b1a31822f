"""Packaging. Each extra installs and imports alone; ``edge`` never needs torch."""

from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).parent
version = next(
    line.split('"')[1]
    for line in (here / "edge" / "__init__.py").read_text().splitlines()
    if line.startswith("__version__")
)

EXTRAS = {
    "build": [
        "onnx>=1.16",
        "onnxruntime>=1.18",
        "nncf>=2.14",
        "packaging>=24.2",  # requirements and licences, for the bill of materials
        "safetensors>=0.4",
        "tokenizers>=0.19",
    ],
    # Weights from the Hugging Face hub; httpx2 is what its library speaks HTTP with.
    "hub": ["huggingface_hub>=2.4,<3", "filelock>=3.10", "httpx2>=2,<3"],
    "demo": ["iotcore>=0.4,<0.5"],
    "train": ["torch>=2.4", "gguf>=0.10", "safetensors>=0.4", "tokenizers>=0.19", "transformers>=5"],
    "tensorrt": ["cuda-bindings>=12.8"],  # TensorRT itself comes with JetPack or with the GPU's driver
    # Published as source only: `build_engines.language.llama_wheel` builds it once and keeps it.
    "language": ["llama-cpp-python==0.3.36"],
}
EXTRAS["test"] = [
    *EXTRAS["build"],
    *EXTRAS["demo"],
    *EXTRAS["hub"],
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    "jsonschema>=4.20",
    "cyclonedx-python-lib>=11",  # the schema of a bill of materials
    "license-expression>=30.4",
    "ruff>=0.6",
    "mypy>=1.11",
    "types-PyYAML",
    "types-jsonschema",
    "types-psutil",
    "viva-genicam>=0.10,<0.11",  # an independent GigE Vision camera in software
]

# Where a wheel keeps what lies beside ``edge`` in a checkout: at the top of site-packages these names could
# be anybody's. ``edge.tools`` finds it.
TOOLS = "edge._tools"
CONFIGS = sorted(path.name for path in (here / "configs").iterdir())

setup(
    name="anomalygpt-edge",
    version=version,
    description="Factory inspection that learns a product from a few good parts and needs no threshold",
    long_description=(here / "README.md").read_text() if (here / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=[
        *find_packages(include=["edge", "edge.*"]),
        *(f"{TOOLS}.{name}" for name in find_packages(include=["build_engines*", "models*"])),
        *(f"{TOOLS}.configs.{name}" for name in CONFIGS),
    ],
    package_dir={f"{TOOLS}.{name}": name for name in ("build_engines", "models", "configs")},
    package_data={
        "edge": ["**/*.json", "py.typed"],
        f"{TOOLS}.build_engines": ["py.typed"],
        f"{TOOLS}.build_engines.language": ["*.cmake", "locked/*.txt"],
        f"{TOOLS}.models": ["weights/*.safetensors", "py.typed"],
        f"{TOOLS}.models.data": ["*.yaml"],
        **{f"{TOOLS}.configs.{name}": ["*"] for name in CONFIGS},
    },
    install_requires=[
        "numpy>=1.26",
        # The same OpenCV as opencv-python, without the desktop libraries that a station lacks.
        "opencv-python-headless>=4.9",
        "openvino>=2025.0",
        "pyyaml>=6",
        "pydantic>=2.7,<3",
        "paho-mqtt>=2.1,<3",
        "click>=8.1",
        "rich>=13.7",
        "platformdirs>=4",
        "python-ulid>=2.7",
        "psutil>=5.9",
    ],
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["anomalygpt-edge=edge.cli:main"]},
)
