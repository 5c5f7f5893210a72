import platform
import subprocess
import sys

import pytest
import torch

from trialwise.training import device as training_device
from trialwise.training.device import (
    free_cores,
    judge_number_format,
    number_format,
    pick_device,
    threads,
    usable_cores,
    visible_gpus,
)

RIGHT = [torch.ones(10), torch.arange(10.0)]


def test_a_fast_and_right_kernel_is_taken():
    verdict = judge_number_format(1.0, RIGHT, 0.25, [tensor * 1.001 for tensor in RIGHT])
    assert verdict.dtype == torch.bfloat16
    assert "4.0x" in verdict.reason


def test_a_kernel_made_wrong_on_purpose_is_refused_however_fast():
    wrong = [RIGHT[0], RIGHT[1].flip(0)]
    verdict = judge_number_format(1.0, RIGHT, 0.01, wrong)
    assert verdict.dtype == torch.float32
    assert "wrong" in verdict.reason
    nan = judge_number_format(1.0, RIGHT, 0.01, [RIGHT[0], RIGHT[1] * torch.nan])
    assert nan.dtype == torch.float32


def test_a_slower_kernel_is_refused():
    verdict = judge_number_format(1.0, RIGHT, 0.95, RIGHT)
    assert verdict.dtype == torch.float32
    assert "no faster" in verdict.reason


@pytest.mark.parametrize(
    ("device", "fast", "expected"),
    [
        ("cuda", torch.bfloat16, torch.bfloat16),
        ("cuda", torch.float16, torch.float16),  # as on a T4
        ("cuda", None, torch.float32),
        ("cpu", torch.float16, torch.float32),
    ],
)
def test_float16_is_the_second_choice_on_cuda_cards_alone(device, fast, expected, monkeypatch):
    monkeypatch.setattr(
        training_device, "_convolution_seconds", lambda dtype, device: (0.5 if dtype == fast else 1.0, RIGHT)
    )
    monkeypatch.setattr(training_device, "_hardware", lambda device: f"a {device} of this test")
    number_format.cache_clear()
    assert number_format(torch.device(device)).dtype == expected
    number_format.cache_clear()


def test_the_self_test_runs_here():
    assert number_format(torch.device("cpu")).dtype in (torch.bfloat16, torch.float32)
    assert number_format(pick_device()).reason


def test_cores_and_threads():
    assert 1 <= free_cores(0.02) <= usable_cores()
    before = torch.get_num_threads()
    with threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be asked to keep freed memory")
def test_freed_memory_stays_with_the_process():
    # In a process of its own: what is asked of the C library cannot be taken back.
    program = """
import resource, torch
from trialwise.training.device import keep_freed_memory
assert keep_freed_memory()
def faults():
    torch.ones(12_000_000)  # 48 MB, 12,000 pages: too large to be kept unasked
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
after = [faults() for _ in range(40)]
print(after[-1] - after[19])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 12_000


@pytest.mark.parametrize(
    ("named", "n_of_torch", "expected"),
    [
        (None, 0, []),
        (None, 2, ["0", "1"]),
        ("", 0, []),
        ("3,1", 2, ["3", "1"]),
        ("1,-1,0", 1, ["1"]),  # CUDA stops at the first that it does not know
        ("MIG-GPU-1f/1/0", 1, ["MIG-GPU-1f/1/0"]),
    ],
)
def test_gpus_are_named_as_the_environment_names_them(named, n_of_torch, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_of_torch)
    if named is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == expected
