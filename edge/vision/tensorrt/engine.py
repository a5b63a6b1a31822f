"""The vision graph on a GPU: image in, map and score out, and nothing between them leaves the device."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence

import numpy as np

from edge.bundle import Bundle
from edge.choices import Precision, RequestedPrecision
from edge.errors import EngineError
from edge.image_types import Array, Image, check_image
from edge.tools import command_line
from edge.vision.checks import check_memory, checked_encoded
from edge.vision.engine import Encoded, EngineOutput, MemoryArrays, fit_into
from edge.vision.tensorrt.cuda import Buffer, Cuda, GrowingBuffer, Replay
from edge.vision.tensorrt.execution import Execution

_CUTS = ("features", "text")  # The second only where the graph has a text decoder.


class TensorRtEngine:
    """One bundle's vision graph on one GPU.

    Implements :class:`edge.vision.engine.Engine`; one thread at a time may use it.

    Args:
        bundle: a checked bundle.
        encoder, head: its halves' plans, loaded.
        precision: of the encoder.
        cuda: the GPU; closed with the engine.
    """

    name = "tensorrt"

    def __init__(
        self, bundle: Bundle, encoder: Execution, head: Execution, precision: Precision, cuda: Cuda
    ) -> None:
        form = bundle.manifest.encoder
        self.precision: str = precision
        self.device = f"{cuda.device_name()}, compute capability {cuda.capability()}"
        self.input_size = form.input_size
        self.grid = form.grid
        self.feature_width = form.feature_width
        self._encoder, self._head, self._cuda = encoder, head, cuda
        self.most_images = encoder.most("image")[0]
        self._patches = math.prod(self.grid)
        self._image = Buffer(cuda, (self.most_images, *self.input_size, 3), np.uint8)
        encoder.bind("image", self._image.address)
        self._encoded = {name: self._encoded_buffer(name) for name in encoder.outputs}
        self._outputs = {name: Buffer(cuda, port.shape, port.dtype) for name, port in head.outputs.items()}
        for name, output in self._outputs.items():
            head.bind(name, output.address)
        self._given = {name: GrowingBuffer(cuda) for name in head.inputs if name not in _CUTS}
        self._scratch = GrowingBuffer(cuda)
        self._shaped: list[Execution] = []
        self._memory: MemoryArrays | None = None
        self.memory_shapes: Mapping[str, tuple[int | None, ...]] = {
            name: tuple(None if length == -1 else length for length in head.inputs[name].shape)
            for name in self._given
        }
        self._encode_again = Replay(cuda, self._encode_one)
        self._match_again = Replay(cuda, self._match_one)
        self._infer_again = Replay(cuda, self._infer_one)
        self._replays = (self._encode_again, self._match_again, self._infer_again)
        self._images = 0
        self._expect(1)

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        precision: RequestedPrecision = "auto",
        device: int = 0,
        *,
        accept_failed_parity: bool = False,
    ) -> TensorRtEngine:
        """The engine of a bundle that was compiled on this machine.

        Plans that a new TensorRT or another GPU has made useless are built again.

        Args:
            bundle: a checked bundle.
            precision: ``auto`` takes the fastest that was compiled and passed its parity gate.
            device: number of the GPU.
            accept_failed_parity: also take plans that failed when they were measured on this machine.

        Raises:
            EngineError: there is no TensorRT or no GPU, or nothing was compiled that works here.
            BundleError: the bundle has no graph of that precision, or it has not passed its parity gate.
        """
        from edge.vision.tensorrt.cuda_opening import open_cuda
        from edge.vision.tensorrt.library import load_tensorrt
        from edge.vision.tensorrt.ready import compiled_precision, loaded_halves

        tensorrt, cuda = load_tensorrt(), open_cuda(device)
        try:
            chosen = compiled_precision(bundle, precision, accept_failed_parity=accept_failed_parity)
            bundle.proved_graph(chosen, accept_failed_parity)
            encoder, head = loaded_halves(bundle, chosen, tensorrt, cuda)
            return cls(bundle, encoder, head, chosen, cuda)
        except BaseException:
            cuda.close()
            raise

    def encode(self, image: Image) -> Encoded:
        """See :meth:`edge.vision.engine.Engine.encode`."""
        self._take([image])
        self._encode_again.run()
        self._cuda.wait()
        return self._encoded_of(0)

    def encode_many(self, images: Sequence[Image]) -> list[Encoded]:
        """:meth:`encode` of up to ``most_images`` images in one run."""
        if not 1 <= len(images) <= self.most_images:
            raise EngineError(
                f"{len(images)} images at once; the plan accepts 1 to {self.most_images}.",
                f"Compile it for more: {command_line('build_engines', 'compile')}, with --batch.",
            )
        self._take(images)
        try:
            self._expect(len(images))
            self._encode_one()
            self._cuda.wait()
            return [self._encoded_of(number) for number in range(len(images))]
        finally:
            self._expect(1)

    def match(self, encoded: Encoded, memory: MemoryArrays) -> EngineOutput:
        """See :meth:`edge.vision.engine.Engine.match`."""
        start = time.perf_counter()
        arrays = checked_encoded(encoded, {name: self._head.inputs[name].shape for name in self._encoded})
        self._use(memory)
        for name, array in arrays.items():
            self._encoded[name].host[: self._patches] = array
        self._match_again.run()
        return self._output(0.0, start)

    def infer(self, image: Image, memory: MemoryArrays) -> EngineOutput:
        """See :meth:`edge.vision.engine.Engine.infer`."""
        start = time.perf_counter()
        self._take([image])
        prepared = time.perf_counter()
        self._use(memory)
        self._infer_again.run()
        return self._output((prepared - start) * 1e3, prepared)

    def close(self) -> None:
        """Releases the plans and the GPU's memory."""
        for replay in self._replays:
            replay.reset()
        del self._encoder, self._head, self._shaped
        self._cuda.close()

    def _encoded_buffer(self, name: str) -> Buffer:
        """Room for what the encoder gives of the most images; the head reads the first one's in place."""
        rest = self._head.inputs[name].shape[1:]
        buffer = Buffer(self._cuda, (self.most_images * self._patches, *rest), np.float32)
        self._encoder.bind(name, buffer.address)
        self._head.bind(name, buffer.address)
        return buffer

    def _take(self, images: Sequence[Image]) -> None:
        """Lays the images, resized, where the GPU reads them."""
        for image in images:
            check_image(image)
        self._cuda.activate()
        for number, image in enumerate(images):
            fit_into(image, self._image.host[number])

    def _expect(self, images: int) -> None:
        """Sets the encoder to so many images at once."""
        if images == self._images:
            return
        self._images = images
        self._encoder.shape("image", (images, *self.input_size, 3))
        self._make_room(self._encoder, (self._encode_again, self._infer_again))

    def _use(self, memory: MemoryArrays) -> None:
        """Hands the product's arrays to the head, where they are not there already."""
        self._cuda.activate()
        if memory is self._memory:
            return
        check_memory(memory, self.memory_shapes)
        self._memory = None  # Until all of it is handed over.
        for name, room in self._given.items():
            array = memory[name]
            self._head.shape(name, array.shape)
            if room.hold(array.nbytes):
                self._head.bind(name, room.address)
            self._cuda.upload(room.address, array)
        self._make_room(self._head, (self._match_again, self._infer_again))
        self._memory = memory

    def _make_room(self, changed: Execution, replays: Sequence[Replay]) -> None:
        """After a change of shapes: memory for a half.

        Both have the same, since they run one after the other.
        """
        if changed not in self._shaped:
            self._shaped.append(changed)
        moved = self._scratch.hold(changed.needed_bytes())
        for half in self._shaped if moved else (changed,):
            half.use_memory(self._scratch.address, self._scratch.size_bytes)
        for replay in self._replays if moved else replays:
            replay.reset()

    def _encode_one(self) -> None:
        self._image.upload(self._images)
        self._encoder.run(self._cuda.stream)
        for buffer in self._encoded.values():
            buffer.download(self._images * self._patches)

    def _match_one(self) -> None:
        for buffer in self._encoded.values():
            buffer.upload(self._patches)
        self._run_head()

    def _infer_one(self) -> None:
        self._image.upload(self._images)
        self._encoder.run(self._cuda.stream)
        self._run_head()

    def _run_head(self) -> None:
        self._head.run(self._cuda.stream)
        for output in self._outputs.values():
            output.download()

    def _encoded_of(self, number: int) -> Encoded:
        rows = slice(number * self._patches, (number + 1) * self._patches)
        return Encoded(**{name: buffer.host[rows].copy() for name, buffer in self._encoded.items()})

    def _output(self, preprocess_ms: float, start: float) -> EngineOutput:
        self._cuda.wait()
        outputs: dict[str, Array] = {name: buffer.host.copy() for name, buffer in self._outputs.items()}
        return EngineOutput(
            map=outputs.pop("map"),
            score=float(outputs.pop("score").item()),
            others=outputs,
            latency_ms={"preprocess": preprocess_ms, "graph": (time.perf_counter() - start) * 1e3},
        )
