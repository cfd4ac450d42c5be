"""Reference values for the server optimisers: fedavg, fedavgm, nesterov, fedadam and fedyogi, from independent code.

    pip install flwr==1.41.0 torch==2.13.0 numpy==2.4.6
    python make_reference.py            # writes strategies.json beside itself

Three sites with whole-number weights send float32 updates (local - global) over four rounds; each strategy starts at
`start` and its parameters after every round are in `after`. Computed in float64; every number is written so that it
reads back exactly. `state` is the server's state after the last round, m pointing the way the parameters move (PyTorch
keeps it with the other sign). Each value is also checked against the formulas in `by_hand`.
"""
import importlib.metadata
import json
import pathlib

import numpy as np
import torch
from flwr.common import Code, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.server.strategy import FedAdam, FedAvg, FedAvgM, FedYogi

HERE = pathlib.Path(__file__).parent
N, ROUNDS, WEIGHTS = 23, 4, [3, 5, 2]
TORCH = f"torch {torch.__version__.split('+')[0]}"
FLWR = f"flwr {importlib.metadata.version('flwr')}"
# FedAdam multiplies its learning rate by sqrt(1 - beta_2^(round+1)) / (1 - beta_1^(round+1)), which Algorithm 2 of
# Reddi et al. 2021 does not. In a round this late both powers are 0 and the factor is exactly 1.
LATE = 10**6


def inputs():
    rng = np.random.default_rng(7)
    start = rng.normal(size=N).astype(np.float32)
    updates = rng.normal(scale=0.05, size=(ROUNDS, len(WEIGHTS), N)).astype(np.float32)
    updates[0, :, [0, 7, 15]] = 0
    return start, updates


def mean(updates):
    return np.tensordot(WEIGHTS, updates.astype(np.float64), axes=1) / sum(WEIGHTS)


def by_torch(start, updates, **settings):
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], dampening=0, **settings)
    after = []
    for update in updates:
        w.grad = -torch.from_numpy(mean(update))
        optimizer.step()
        after.append(w.detach().numpy().copy())
    return after, {"m": -optimizer.state[w]["momentum_buffer"].numpy()}


def by_flwr(start, updates, strategy, first_round=1, **settings):
    w = start.astype(np.float64)
    server = strategy(initial_parameters=ndarrays_to_parameters([w]),
                      fit_metrics_aggregation_fn=lambda metrics: {}, **settings)
    after = []
    for number, update in enumerate(updates, first_round):
        results = [(None, FitRes(Status(Code.OK, ""), ndarrays_to_parameters([w + site]), weight, {}))
                   for site, weight in zip(update.astype(np.float64), WEIGHTS)]
        w = parameters_to_ndarrays(server.aggregate_fit(number, results, [])[0])[0]
        assert w.dtype == np.float64
        after.append(w.copy())
    if isinstance(server, (FedAdam, FedYogi)):
        return after, {"m": server.m_t[0], "v": server.v_t[0]}
    momentum = getattr(server, "momentum_vector", None)
    return after, {"m": -momentum[0]} if momentum else {}


def by_hand(kind, start, updates, learning_rate, momentum=0, beta1=0, beta2=0, tau=0):
    w, m, v, after = start.astype(np.float64), np.zeros(N), np.zeros(N), []
    for d in map(mean, updates):
        if kind in ("fedadam", "fedyogi"):
            m = beta1 * m + (1 - beta1) * d
            v = beta2 * v + (1 - beta2) * d**2 if kind == "fedadam" else v - (1 - beta2) * d**2 * np.sign(v - d**2)
            step = m / (np.sqrt(v) + tau)
        else:
            m = momentum * m + d
            step = d + momentum * m if kind == "nesterov" else m
        w = w + learning_rate * step
        after.append(w)
    return after, {"m": m, "v": v}


def main():
    start, updates = inputs()
    adaptive = dict(learning_rate=0.1, beta1=0.9, beta2=0.99, tau=1e-3)
    flwr_adaptive = dict(eta=0.1, beta_1=0.9, beta_2=0.99, tau=1e-3)
    runs = [
        ("fedavg", dict(learning_rate=1.0), f"flwr.server.strategy.FedAvg.aggregate_fit, {FLWR}",
         by_flwr(start, updates, FedAvg)),
        ("fedavg", dict(learning_rate=0.5),
         f"flwr.server.strategy.FedAvgM.aggregate_fit with server_learning_rate 0.5, server_momentum 0, {FLWR}",
         by_flwr(start, updates, FedAvgM, server_learning_rate=0.5)),
        ("fedavgm", dict(learning_rate=1.0, momentum=0.7),
         f"torch.optim.SGD with lr 1, momentum 0.7, dampening 0 on gradient -mean, {TORCH}",
         by_torch(start, updates, lr=1.0, momentum=0.7)),
        ("nesterov", dict(learning_rate=0.7, momentum=0.9),
         f"torch.optim.SGD with lr 0.7, momentum 0.9, nesterov on gradient -mean, {TORCH}",
         by_torch(start, updates, lr=0.7, momentum=0.9, nesterov=True)),
        ("fedadam", adaptive,
         f"flwr.server.strategy.FedAdam.aggregate_fit, {FLWR}, called with server_round from {LATE} on, where its "
         "bias correction is exactly 1",
         by_flwr(start, updates, FedAdam, first_round=LATE, **flwr_adaptive)),
        ("fedyogi", adaptive, f"flwr.server.strategy.FedYogi.aggregate_fit, {FLWR}",
         by_flwr(start, updates, FedYogi, **flwr_adaptive)),
    ]
    assert np.sqrt(1 - np.power(0.99, LATE + 1.0)) / (1 - np.power(0.9, LATE + 1.0)) == 1

    strategies = []
    for kind, settings, source, (after, state) in runs:
        expected, expected_state = by_hand(kind, start, updates, **settings)
        difference = np.abs(np.array(after) - expected).max()
        assert difference < 1e-6, (kind, difference)
        for name, value in state.items():
            assert np.abs(value - expected_state[name]).max() < 1e-6, (kind, name)
        print(f"{kind:9} {settings}: {difference:.1e} from the formula")
        strategies.append(dict(kind=kind, source=source, settings=settings, after=[w.tolist() for w in after],
                               state={name: value.tolist() for name, value in state.items()}))

    # Flower's own FedAvgM is the same as PyTorch's SGD.
    flower, _ = by_flwr(start, updates, FedAvgM, server_learning_rate=1.0, server_momentum=0.7)
    difference = np.abs(np.array(flower) - [w for w in strategies[2]["after"]]).max()
    assert difference < 1e-6, difference
    print(f"FedAvgM of flwr: {difference:.1e} from torch.optim.SGD")

    text = json.dumps(dict(start=start.tolist(), weights=WEIGHTS, updates=updates.tolist(), strategies=strategies))
    (HERE / "strategies.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
