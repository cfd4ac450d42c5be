"""Reference values for the native trainer: outputs, loss, gradients and one AdamW step of the policy in PyTorch.

    pip install torch==2.13.0 safetensors==0.8.0 numpy==2.4.6
    python make_reference.py            # writes state.safetensors, image.safetensors and both.safetensors beside itself

Weights are random and the sizes are small, so that the files are; each tensor of the policy is named as in a model
file, its gradient `grad.<name>`, its value after one AdamW step `next.<name>`.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
SHAPE = dict(image=24, patch=12, words=5, vocab=23, d=20, layers=2, heads=2, mlp=36, chunk=3, action_dim=4)
BATCH = 5


def parameters(obs):
    c = SHAPE
    d, tokens = c["d"], c["words"] + 1 + c["chunk"]
    shapes = {}

    def linear(name, outputs, inputs):
        shapes[f"{name}.weight"] = (outputs, inputs)
        shapes[f"{name}.bias"] = (outputs,)

    if obs != "state":
        tokens += (c["image"] // c["patch"]) ** 2
        linear("patch", d, 3 * c["patch"] ** 2)
    linear("state", d, 4 if obs == "image" else 39)
    linear("head", c["action_dim"], d)
    shapes["ln.weight"] = shapes["ln.bias"] = (d,)
    shapes["word.weight"], shapes["pos"] = (c["vocab"], d), (tokens, d)
    for layer in range(c["layers"]):
        block = f"blocks.{layer}"
        for norm in ("ln1", "ln2"):
            shapes[f"{block}.{norm}.weight"] = shapes[f"{block}.{norm}.bias"] = (d,)
        linear(f"{block}.qkv", 3 * d, d)
        linear(f"{block}.proj", d, d)
        linear(f"{block}.fc1", c["mlp"], d)
        linear(f"{block}.fc2", d, c["mlp"])
    values = {}
    for name, shape in sorted(shapes.items()):
        scale = 0.2 if len(shape) > 1 else 0.1
        values[name] = torch.randn(shape) * scale + (1.0 if ".ln" in f".{name}" and name.endswith("weight") else 0.0)
    return {name: value.requires_grad_(True) for name, value in values.items()}


def forward(p, obs, state, words, image):
    c = SHAPE
    batch = state.shape[0]
    parts = [p["word.weight"][words], F.linear(state, p["state.weight"], p["state.bias"])[:, None],
             torch.zeros(batch, c["chunk"], c["d"])]
    if obs != "state":
        side, patch = c["image"], c["patch"]
        pixels = (image.float() / 127.5 - 1).unfold(1, patch, patch).unfold(2, patch, patch)  # B, g, g, 3, patch, patch
        pixels = pixels.permute(0, 1, 2, 4, 5, 3).reshape(batch, (side // patch) ** 2, -1)
        parts.insert(0, F.linear(pixels, p["patch.weight"], p["patch.bias"]))
    x = torch.cat(parts, 1) + p["pos"]
    width, heads = c["d"], c["heads"]
    for layer in range(c["layers"]):
        b = f"blocks.{layer}"
        h = F.layer_norm(x, (width,), p[f"{b}.ln1.weight"], p[f"{b}.ln1.bias"])
        q, k, v = F.linear(h, p[f"{b}.qkv.weight"], p[f"{b}.qkv.bias"]).chunk(3, -1)
        q, k, v = (t.reshape(batch, -1, heads, width // heads).transpose(1, 2) for t in (q, k, v))
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(width // heads)
        context = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, -1, width)
        x = x + F.linear(context, p[f"{b}.proj.weight"], p[f"{b}.proj.bias"])
        h = F.layer_norm(x, (width,), p[f"{b}.ln2.weight"], p[f"{b}.ln2.bias"])
        h = F.gelu(F.linear(h, p[f"{b}.fc1.weight"], p[f"{b}.fc1.bias"]), approximate="tanh")
        x = x + F.linear(h, p[f"{b}.fc2.weight"], p[f"{b}.fc2.bias"])
    x = F.layer_norm(x[:, -c["chunk"]:], (width,), p["ln.weight"], p["ln.bias"])
    return F.linear(x, p["head.weight"], p["head.bias"])


def make(obs, seed):
    torch.manual_seed(seed)
    c, p = SHAPE, parameters(obs)
    state = torch.randn(BATCH, 4 if obs == "image" else 39).clamp(-5, 5)
    words = torch.randint(0, c["vocab"], (BATCH, c["words"]))
    image = torch.randint(0, 256, (BATCH, c["image"], c["image"], 3), dtype=torch.uint8)
    actions = torch.rand(BATCH, c["chunk"], c["action_dim"]) * 2 - 1
    optimizer = torch.optim.AdamW(p.values(), lr=1e-3, weight_decay=1e-2, betas=(0.9, 0.95))
    output = forward(p, obs, state, words, image)
    loss = F.l1_loss(output, actions)
    loss.backward()
    tensors = {"input.state": state, "input.words": words.int(), "input.actions": actions, "output": output, "loss": loss}
    if obs != "state":
        tensors["input.image"] = image
    tensors |= {name: value.detach().clone() for name, value in p.items()}
    tensors |= {f"grad.{name}": value.grad.clone() for name, value in p.items()}
    torch.nn.utils.clip_grad_norm_(p.values(), 1.0)
    optimizer.step()
    tensors |= {f"next.{name}": value for name, value in p.items()}
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, HERE / f"{obs}.safetensors",
              {"config": json.dumps({"obs": obs, **c})})


for number, observation in enumerate(("state", "image", "both")):
    make(observation, number)
