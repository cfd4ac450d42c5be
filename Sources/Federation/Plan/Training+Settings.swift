import Settings

extension Training {
    /// `[training]` of a plan.
    static let section = SettingSection<Training>(
        "training",
        help: "What each site does in a round (AdamW)."
    ) {
        Setting(
            "local_steps",
            \.localSteps,
            .integer(0...PlanLimits.localSteps),
            default: 0,
            help: "Optimiser steps of a round; or local_epochs, and 0 here."
        )
        Setting(
            "local_epochs",
            \.localEpochs,
            .integer(0...PlanLimits.localEpochs),
            default: 0,
            isRare: true,
            help: "Passes over each of the site's samples, in place of local_steps."
        )
        Setting("batch", \.batch, .integer(1...PlanLimits.batch), help: "Samples of a step.")
        Setting(
            "learning_rate",
            \.learningRate,
            .number(.above(0, to: PlanLimits.float)),
            help: "The largest learning rate of the campaign."
        )
        Setting(
            "schedule",
            \.schedule.shape,
            .choice,
            default: .linear,
            help: "How the learning rate falls over the rounds, after its warm-up."
        )
        Setting(
            "warmup_rounds",
            \.schedule.warmupRounds,
            .integer(0...PlanLimits.rounds),
            default: 0,
            help: "Rounds in which the learning rate rises linearly."
        )
        Setting(
            "decay_to",
            \.schedule.decayTo,
            .number(.from(0, to: 1)),
            help: "What is left of the learning rate towards the last round, as a fraction."
        )
        Setting(
            "weight_decay",
            \.weightDecay,
            .number(.from(0, below: 1)),
            help: "AdamW's decay of the weights, a step, times the learning rate."
        )
        Setting(
            "gradient_clip",
            \.gradientClip,
            .number(.above(0, to: PlanLimits.float)),
            help: "The largest Euclidean norm of a step's gradient; a longer one is scaled down."
        )
        Setting(
            "beta1",
            \.betas.first,
            .number(.from(0, to: 0.999_999)),
            default: AdamBetas.standard.first,
            help: "AdamW's decay of the mean of the gradients."
        )
        Setting(
            "beta2",
            \.betas.second,
            .number(.from(0, to: 0.999_999)),
            default: AdamBetas.standard.second,
            help: "AdamW's decay of the mean of their squares."
        )
        Setting(
            "proximal",
            \.proximal,
            .number(.from(0, to: 1000)),
            default: 0,
            help: "FedProx: how strongly a site is held to the model that it began with; 0 is not at all."
        )
        Setting(
            "seed",
            .anyInteger,
            get: { Int(truncatingIfNeeded: $0.seed) },
            set: { $0.seed = UInt64(truncatingIfNeeded: $1) },
            help: "From which all random numbers of the training are drawn."
        )
    }

    /// What no single range says.
    var rules: [SettingProblem] {
        guard (localSteps > 0) == (localEpochs > 0) else { return [] }
        let message =
            localSteps > 0
            ? "expected either local_steps or local_epochs, not both"
            : "expected at least 1, or local_epochs"
        return [SettingProblem(key: "training.local_steps", message: message)]
    }

    /// Of the training alone, as a worker checks what it is asked to do.
    public var problems: [SettingProblem] {
        Self.section.problems(of: self) + rules + (lora?.problems ?? [])
    }
}
