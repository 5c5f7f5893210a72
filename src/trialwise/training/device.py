"""Which device, how many threads and which number format are really the fastest here, and right."""

import ctypes
import dataclasses
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import torch
from torch import nn

from trialwise.base.errors import UserError
from trialwise.base.files import cache_folder, read_json, write_json


def pick_device() -> torch.device:
    """The CUDA device where there is one, else Apple's MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def visible_gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES calls each CUDA GPU that this process may use; CUDA itself is not started."""
    n = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [str(index) for index in range(n)] if named is None else named.split(",")[:n]


def usable_cores() -> int:
    """The number of cores this process may use: its affinity, cut by a container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists():
        limit, period, *_ = [*quota.read_text().split(), "0"]
        if limit != "max" and int(period) > 0:
            cores = min(cores, max(1, int(limit) // int(period)))
    return max(1, cores)


def free_cores(seconds: float = 0.1) -> int:
    """The number of cores that others leave free, at least 1: measured over `seconds` where the system tells.

    Threads beyond the free cores make PyTorch wait for itself: with one other process busy on two cores,
    two threads were measured ten times slower than one.
    """
    cores = usable_cores()
    stat = Path("/proc/stat")
    if not stat.exists():
        return cores

    def idle_ticks() -> int:
        fields = stat.read_text().split("\n", 1)[0].split()
        return int(fields[4]) + int(fields[5])

    before, start = idle_ticks(), time.monotonic()
    time.sleep(seconds)
    ticks = (time.monotonic() - start) * os.sysconf("SC_CLK_TCK")
    return max(1, min(cores, round((idle_ticks() - before) / ticks)))


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Run the block with `n` PyTorch threads, then put the old number back."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def keep_freed_memory() -> bool:
    """Let this process keep the memory it frees, for the next tensors of the same size; whether that could be asked.

    The C library (glibc) gives large blocks back to the system when they are freed, so that every map of every step
    is handed out anew, page by page, filled with zeros: an eighth of a training step where convolutions are fast. The
    process is never larger than it was at its largest moment; it only stays that large.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return False
    m_trim_threshold, m_mmap_threshold = -1, -3  # of malloc.h
    return mallopt(m_mmap_threshold, 2**30) == 1 and mallopt(m_trim_threshold, 2**31 - 1) == 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class NumberFormat:
    """The number format convolutions are computed in, and why.

    Attributes:
        dtype: `torch.bfloat16`, `torch.float16` or `torch.float32`; weights are kept in float32 in any case.
        reason: One line for people.
    """

    dtype: torch.dtype
    reason: str


@cache
def number_format(device: torch.device) -> NumberFormat:
    """bfloat16 where a self-test finds it both right (against float32) and faster on `device`, else float32.

    CUDA cards older than Ampere have no bfloat16 of their own; where it fails there, float16 is tested too.

    The test runs one convolution forward and backward, about 100 ms on a CPU. Wrong bf16 kernels have shipped
    before (PyTorch issues 163347 and 169688), and CPUs without bf16 instructions are slower with it. The verdict is
    kept in the cache folder, so that a busy moment cannot make the next run of the same seed compute differently.
    """
    if device.type == "mps":
        return tested_number_format(device)
    file = verdicts_file()
    kept = _read_verdicts(file)
    hardware = f"torch {torch.__version__}, {_hardware(device)}"
    if hardware not in kept:
        verdict = tested_number_format(device)
        kept[hardware] = {"dtype": str(verdict.dtype).removeprefix("torch."), "reason": verdict.reason}
        with suppress(OSError):  # a cache that cannot be written costs the next run 100 ms
            write_json(file, kept)
    return NumberFormat(dtype=getattr(torch, kept[hardware]["dtype"]), reason=kept[hardware]["reason"])


def verdicts_file() -> Path:
    """Where the verdicts of the self-test are kept, one a processor and a version of torch."""
    return cache_folder() / "number_formats.json"


def tested_number_format(device: torch.device) -> NumberFormat:
    """The self-test of `number_format`, made now, whatever verdict is kept.

    The first of the short formats that is right and faster, else float32 with what was wrong with the last.
    """
    if device.type == "mps":
        return NumberFormat(dtype=torch.float32, reason="float32: bfloat16 is not tested on MPS")
    with threads(1):
        slow, right = _convolution_seconds(torch.float32, device)
        verdict = judge_number_format(slow, right, *_convolution_seconds(torch.bfloat16, device), short=torch.bfloat16)
        if verdict.dtype == torch.float32 and device.type == "cuda":
            return judge_number_format(slow, right, *_convolution_seconds(torch.float16, device), short=torch.float16)
        return verdict


def _read_verdicts(file: Path) -> dict[str, dict[str, str]]:
    try:
        kept = read_json(file)
    except UserError:  # missing or damaged: tested again
        return {}
    return kept if isinstance(kept, dict) else {}


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in cpuinfo.read_text().split("\n\n")[0].splitlines() if ":" in line)
    named = {key.strip(): value.strip() for key, value in fields.items()}
    return f"{named.get('model name', platform.machine())}, {torch.backends.cpu.get_cpu_capability()}"


def judge_number_format(
    float32_seconds: float,
    float32_results: list[torch.Tensor],
    short_seconds: float,
    short_results: list[torch.Tensor],
    *,
    short: torch.dtype = torch.bfloat16,
) -> NumberFormat:
    """The verdict of the self-test: `short` must be within 2 % of float32 (relative norm) and at least 10 % faster."""
    name = str(short).removeprefix("torch.")
    for wanted, got in zip(float32_results, short_results, strict=True):
        error = float((wanted - got).norm() / wanted.norm())
        if not error < 0.02:
            return NumberFormat(
                dtype=torch.float32, reason=f"float32: {name} gives wrong results here (off by {error:.0%})"
            )
    gain = float32_seconds / short_seconds
    if gain < 1.1:
        return NumberFormat(dtype=torch.float32, reason=f"float32: {name} is no faster here ({gain:.1f}x)")
    return NumberFormat(dtype=short, reason=f"{name}: right and {gain:.1f}x faster than float32 here")


def _convolution_seconds(dtype: torch.dtype, device: torch.device) -> tuple[float, list[torch.Tensor]]:
    # A GPU is asked for more at once: a small convolution would only time how fast work is handed to it.
    n, width = (1024, 64) if device.type == "cuda" else (32, 32)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(width, width, 3, 3, generator=generator).to(device)
    images_BCHW = torch.randn(n, width, 16, 16, generator=generator).to(device, memory_format=torch.channels_last)
    upstream = torch.randn(n, width, 16, 16, generator=generator).to(device, memory_format=torch.channels_last)
    best = float("inf")
    results: list[torch.Tensor] = []
    # A CPU is timed by the time it gave this thread, so that the load of others does not count.
    clock = time.perf_counter if device.type == "cuda" else time.thread_time
    for _ in range(8):
        w = weight.clone().requires_grad_()
        x = images_BCHW.clone(memory_format=torch.channels_last).requires_grad_()
        start = clock()
        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            y = nn.functional.conv2d(x, w, padding=1)
        y.backward(upstream.to(y.dtype))
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, clock() - start)
        assert w.grad is not None
        assert x.grad is not None
        results = [tensor.detach().float().cpu() for tensor in (y, w.grad, x.grad)]
    return best, results
