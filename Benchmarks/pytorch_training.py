"""The same policy, batch and step in PyTorch (CPU, eager, float32): samples a second, as one JSON object."""
import json
import math
import time

import torch
import torch.nn.functional as F

D, LAYERS, HEADS, MLP, WORDS, CHUNK, ACTIONS, VOCAB, PIXELS = 96, 3, 4, 384, 12, 4, 4, 512, 432


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1, self.ln2 = torch.nn.LayerNorm(D), torch.nn.LayerNorm(D)
        self.qkv, self.proj = torch.nn.Linear(D, 3 * D), torch.nn.Linear(D, D)
        self.fc1, self.fc2 = torch.nn.Linear(D, MLP), torch.nn.Linear(MLP, D)

    def forward(self, x):
        batch, tokens, _ = x.shape
        q, k, v = self.qkv(self.ln1(x)).reshape(batch, tokens, 3, HEADS, D // HEADS).permute(2, 0, 3, 1, 4)
        context = F.scaled_dot_product_attention(q, k, v)
        x = x + self.proj(context.transpose(1, 2).reshape(batch, tokens, D))
        return x + self.fc2(F.gelu(self.fc1(self.ln2(x)), approximate="tanh"))


class Policy(torch.nn.Module):
    def __init__(self, image):
        super().__init__()
        self.patch = torch.nn.Linear(PIXELS, D) if image else None
        self.word, self.state = torch.nn.Embedding(VOCAB, D), torch.nn.Linear(4 if image else 39, D)
        self.pos = torch.nn.Parameter(torch.zeros((16 if image else 0) + WORDS + 1 + CHUNK, D))
        self.blocks = torch.nn.ModuleList(Block() for _ in range(LAYERS))
        self.ln, self.head = torch.nn.LayerNorm(D), torch.nn.Linear(D, ACTIONS)

    def forward(self, state, words, patches):
        tokens = [self.word(words), self.state(state)[:, None], torch.zeros(len(state), CHUNK, D)]
        if self.patch is not None:
            tokens.insert(0, self.patch(patches))
        x = torch.cat(tokens, 1) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x[:, -CHUNK:]))


def rate(image, batch, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    policy = Policy(image)
    parameters = list(policy.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-3, betas=(0.9, 0.95))
    state, words = torch.rand(batch, 4 if image else 39), torch.randint(0, VOCAB, (batch, WORDS))
    patches, actions = torch.rand(batch, 16, PIXELS), torch.rand(batch, CHUNK, ACTIONS)

    def step():
        loss = F.l1_loss(policy(state, words, patches), actions)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()

    for _ in range(5):
        step()
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        for _ in range(60):
            step()
        rates.append(60 * batch / (time.perf_counter() - start))
    return sorted(rates)[1]


print(json.dumps({f"pytorch_{name}_b32_t{threads}": rate(name == "image", 32, threads) for name in ("state", "image") for threads in (1, 2)}))
