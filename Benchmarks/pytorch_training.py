"""The same policy, batches and steps in PyTorch (CPU, eager, float32): samples per second, as one JSON object."""
import json
import pathlib
import sys
import time

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Examples" / "pytorch"))
from kumiai_policy import Policy, add_lora

STEPS = {32: 60, 256: 10}  # by batch size: about one second per run
WARM_UP, RUNS = 5, 3


def configuration(image):
    state = 4 if image else 39
    return {
        "dim_model": 96, "n_layers": 3, "n_heads": 4, "dim_feedforward": 384, "patch_size": 12,
        "n_words": 12, "vocab_size": 512, "chunk_size": 4, "loss": "l1",
        "contract": {
            "action": {"dimensions": [{"mean": 0, "std": 1}] * 4},
            "state": [{"mean": [0] * state, "std": [1] * state}],
            "cameras": [{"height": 48, "width": 48}] if image else [],
        },
    }


def training(case, size, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    policy = Policy(configuration(image=case != "state"))
    if case == "lora_image":
        add_lora(policy, rank=8, alpha=16)
    parameters = [value for value in policy.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.95))
    batch = {
        "state": torch.rand(size, policy.n_state), "words": torch.randint(0, 512, (size, policy.n_words)),
        "patches": torch.rand(size, policy.n_patches, 432), "actions": torch.rand(size, policy.chunk, policy.n_actions),
    }

    def run(steps):
        start = time.perf_counter()
        for _ in range(steps):
            loss = policy.loss(batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
        return steps * size / (time.perf_counter() - start)

    run(WARM_UP)
    return sorted(run(STEPS[size]) for _ in range(RUNS))[RUNS // 2]


def sgemm(threads, size=2048):
    """Gflop/s of a square matrix product: the machine's peak."""
    torch.set_num_threads(threads)
    a, b = torch.rand(size, size), torch.rand(size, size)
    a @ b  # warm-up

    def seconds():
        start = time.perf_counter()
        a @ b
        return time.perf_counter() - start

    return 2 * size**3 / min(seconds() for _ in range(5)) / 1e9


def main():
    values = {
        f"pytorch_{case}_b{size}_t{threads}": training(case, size, threads)
        for case in ("state", "image", "lora_image") for size in STEPS for threads in (1, 2)
    }
    print(json.dumps(values | {f"pytorch_sgemm_gflops_t{threads}": sgemm(threads) for threads in (1, 2)}))


if __name__ == "__main__":
    main()
