import Settings

extension Strategy {
    public enum Kind: String, Sendable, CaseIterable { case fedavg, fedavgm, nesterov, fedadam, fedyogi }

    public var kind: Kind {
        get {
            switch self {
            case .fedAvg: .fedavg
            case .fedAvgM: .fedavgm
            case .nesterov: .nesterov
            case .fedAdam: .fedadam
            case .fedYogi: .fedyogi
            }
        }
        set {
            switch newValue {
            case .fedavg: self = .fedAvg(learningRate: learningRate)
            case .fedavgm: self = .fedAvgM(learningRate: learningRate, momentum: 0)
            case .nesterov: self = .nesterov(learningRate: learningRate, momentum: 0)
            case .fedadam: self = .fedAdam(AdaptiveMoments(learningRate: learningRate))
            case .fedyogi: self = .fedYogi(AdaptiveMoments(learningRate: learningRate))
            }
        }
    }

    public var name: String { kind.rawValue }

    private var rate: Double {
        get { learningRate }
        set {
            switch self {
            case .fedAvg: self = .fedAvg(learningRate: newValue)
            case .fedAvgM(_, let momentum): self = .fedAvgM(learningRate: newValue, momentum: momentum)
            case .nesterov(_, let momentum): self = .nesterov(learningRate: newValue, momentum: momentum)
            case .fedAdam, .fedYogi: moments?.learningRate = newValue
            }
        }
    }

    private var momentum: Double? {
        get {
            switch self {
            case .fedAvgM(_, let momentum), .nesterov(_, let momentum): momentum
            case .fedAvg, .fedAdam, .fedYogi: nil
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .fedAvgM(let rate, _): self = .fedAvgM(learningRate: rate, momentum: newValue)
            case .nesterov(let rate, _): self = .nesterov(learningRate: rate, momentum: newValue)
            case .fedAvg, .fedAdam, .fedYogi: break
            }
        }
    }

    private var moments: AdaptiveMoments? {
        get {
            switch self {
            case .fedAdam(let moments), .fedYogi(let moments): moments
            case .fedAvg, .fedAvgM, .nesterov: nil
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .fedAdam: self = .fedAdam(newValue)
            case .fedYogi: self = .fedYogi(newValue)
            case .fedAvg, .fedAvgM, .nesterov: break
            }
        }
    }

    /// `[strategy]` of a plan.
    static let section = SettingSection<Strategy>(
        "strategy",
        help: """
            How accepted updates become the next model; mean is the weighted mean of the updates.
            fedavg: w += learning_rate * mean
            fedavgm: m = momentum * m + mean, w += learning_rate * m
            nesterov (DiLoCo): the same m, w += learning_rate * (mean + momentum * m); for few, long rounds 0.7 and 0.9
            fedadam, fedyogi: adaptive; a learning_rate of about 0.01, and beta1, beta2 and tau
            """
    ) {
        Setting("kind", \.kind, .choice, help: "")
        Setting("learning_rate", \.rate, .number(.above(0, to: 100)), help: "")
        Setting(
            "momentum",
            \.momentum,
            ifAny: .number(.from(0, below: 1)),
            help: "fedavgm, nesterov: what is left of m after a round."
        )
        Setting(
            "beta1",
            .number(.from(0, below: 1)),
            get: { $0.moments?.beta1 },
            set: { $0.moments?.beta1 = $1 },
            default: AdaptiveMoments.standard.beta1,
            help: "fedadam, fedyogi: the decay of the first moment."
        )
        Setting(
            "beta2",
            .number(.from(0, below: 1)),
            get: { $0.moments?.beta2 },
            set: { $0.moments?.beta2 = $1 },
            default: AdaptiveMoments.standard.beta2,
            help: "fedadam, fedyogi: the decay of the second moment."
        )
        Setting(
            "tau",
            .number(.above(0, to: 1)),
            get: { $0.moments?.adaptivity },
            set: { $0.moments?.adaptivity = $1 },
            default: AdaptiveMoments.standard.adaptivity,
            help: "fedadam, fedyogi: how little a parameter must have moved to be moved a lot."
        )
    }
}
