"""``python -m build_engines compile``: TensorRT plans of a bundle, for the GPU of this machine."""

from __future__ import annotations

import click

from edge.choices import Precision


@click.command(name="compile")
@click.argument("bundle_name", metavar="BUNDLE")
@click.option(
    "--precision",
    "precisions",
    multiple=True,
    type=click.Choice(["fp32", "fp16", "int8-symmetric"]),
    help="Precision to compile (may be repeated).  [default: fp16 if the bundle has it, else fp32]",
)
@click.option(
    "--batch",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Maximum number of images at once; 1 is fastest for one camera.",
)
@click.option(
    "--bank-rows",
    type=click.IntRange(min=1),
    help="Maximum number of rows in a product's bank.  [default: 32 times the usual bank]",
)
@click.option(
    "--workspace",
    "workspace_mb",
    type=click.IntRange(min=16),
    metavar="MB",
    help="Maximum memory for one kernel while TensorRT tries it.  [default: 512, for boards of 8 GB]",
)
@click.option("--device", default=0, show_default=True, type=click.IntRange(min=0), help="Number of the GPU.")
@click.option("--force", is_flag=True, help="Build again even if the plans are up to date.")
def command(
    bundle_name: str,
    precisions: tuple[Precision, ...],
    batch: int,
    bank_rows: int | None,
    workspace_mb: int | None,
    device: int,
    force: bool,
) -> None:
    """Build TensorRT plans of BUNDLE for this machine's GPU.

    A plan works for one graph, one version of TensorRT and one GPU architecture: run it on the machine
    that inspects, while nothing else needs the memory. It takes minutes on a small board, seconds if
    everything is up to date. Then measure the result: python -m build_engines accept BUNDLE
    """
    from build_engines.tensorrt.plans import (
        MOST_BANK_ROWS,
        WORKSPACE_MB,
        PlanRequest,
        compile_bundle,
        usual_precision,
    )
    from edge.bundle import Bundle
    from edge.terminal.progress import progress_bar
    from edge.vision.tensorrt.compiled import accept_command
    from edge.vision.tensorrt.cuda_opening import open_cuda
    from edge.vision.tensorrt.library import load_tensorrt
    from edge.vision.tensorrt.ready import GpuTarget

    bundle = Bundle.resolve(bundle_name)
    wish = PlanRequest(batch, bank_rows or MOST_BANK_ROWS, workspace_mb or WORKSPACE_MB)
    tensorrt, cuda = load_tensorrt(), open_cuda(device)
    try:
        target = GpuTarget(tensorrt, cuda.capability(), cuda.device_name())
        click.echo(f"{bundle.id} for {target.device} (compute capability {target.capability})")
        for precision in precisions or (usual_precision(bundle),):
            with progress_bar() as progress:
                compile_bundle(
                    bundle, precision, wish, target, force=force, progress=progress, say=click.echo
                )
    finally:
        cuda.close()
    click.echo(f"Next: {accept_command(bundle)}")
