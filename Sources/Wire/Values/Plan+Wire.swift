import Federation
import KumiaiProto

extension Plan {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Plan> {
        arena.make(kumiai__v1__plan__init) { m in
            m.campaign = arena.string(campaign.text)
            m.base_model = arena.string(base.text)
            m.release = arena.string(release.text)
            m.base_digest = arena.bytes(model?.digest)
            m.layout_digest = arena.bytes(model?.layout)
            m.base_bytes = model?.byteCount ?? 0
            m.n_sites = sites.count
            m.sites = arena.strings(sites.map(\.description))
            m.rounds = UInt32(clamping: rounds)
            m.quorum = UInt32(clamping: quorum)
            m.recruiting_seconds = UInt32(clamping: recruitingSeconds)
            m.deadline_seconds = UInt32(clamping: deadlineSeconds)
            m.maximum_attempts = UInt32(clamping: maximumAttempts)
            m.strategy = strategy.packed(in: arena)
            m.bounds = arena.make(kumiai__v1__bounds__init) {
                $0.weight = bounds.weight
                $0.norm = bounds.norm
            }
            m.training = training.packed(in: arena)
            if extensions != .none {
                m.extensions = arena.make(kumiai__v1__extensions__init) {
                    $0.seconds = UInt32(clamping: extensions.seconds)
                    $0.maximum = UInt32(clamping: extensions.maximum)
                }
            }
            if lateness != .refused {
                m.lateness = arena.make(kumiai__v1__lateness__init) {
                    $0.rounds = UInt32(clamping: lateness.rounds)
                    $0.weight_percent = UInt32(clamping: lateness.weightPercent)
                }
            }
            m.retention_seconds = UInt64(clamping: retentionSeconds)
        }
    }

    init(_ m: Kumiai__V1__Plan) throws {
        let bounds = try Field.present(m.bounds, "plan.bounds").pointee
        self.init(
            campaign: try Field.name(m.campaign, "plan.campaign"), base: try Field.name(m.base_model, "plan.base_model"),
            release: try Field.name(m.release, "plan.release"), model: try Self.model(m),
            sites: try Field.list(m.sites, m.n_sites, "plan.sites", atMost: PlanLimits.sites) { try Field.site($0, "plan.sites") },
            rounds: Int(m.rounds), quorum: Int(m.quorum), recruitingSeconds: Int(m.recruiting_seconds),
            deadlineSeconds: Int(m.deadline_seconds), maximumAttempts: Int(m.maximum_attempts),
            extensions: m.extensions.map { Extensions(seconds: Int($0.pointee.seconds), maximum: Int($0.pointee.maximum)) } ?? .none,
            lateness: m.lateness.map { Lateness(rounds: Int($0.pointee.rounds), weightPercent: Int($0.pointee.weight_percent)) } ?? .refused,
            retentionSeconds: Int(clamping: m.retention_seconds),
            strategy: try Strategy(try Field.present(m.strategy, "plan.strategy").pointee),
            bounds: Bounds(weight: bounds.weight, norm: try Field.finite(bounds.norm, "plan.bounds.norm")),
            training: try Training(try Field.present(m.training, "plan.training").pointee))
    }

    private static func model(_ m: Kumiai__V1__Plan) throws -> ModelReference? {
        guard let model = try Field.optionalDigest(m.base_digest, "plan.base_digest") else { return nil }
        return ModelReference(
            digest: model, layout: try Field.digest(m.layout_digest, "plan.layout_digest"), byteCount: m.base_bytes)
    }
}

extension Strategy {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Strategy> {
        arena.make(kumiai__v1__strategy__init) { m in
            switch self {
            case .fedAvg(let rate):
                m.kind_case = KUMIAI__V1__STRATEGY__KIND_FED_AVG
                m.fed_avg = arena.make(kumiai__v1__fed_avg__init) { $0.learning_rate = rate }
            case .fedAvgM(let rate, let momentum):
                m.kind_case = KUMIAI__V1__STRATEGY__KIND_FED_AVG_M
                m.fed_avg_m = arena.make(kumiai__v1__fed_avg_m__init) {
                    $0.learning_rate = rate
                    $0.momentum = momentum
                }
            }
        }
    }

    init(_ m: Kumiai__V1__Strategy) throws {
        switch m.kind_case {
        case KUMIAI__V1__STRATEGY__KIND_FED_AVG:
            let kind = try Field.present(m.fed_avg, "strategy.fed_avg").pointee
            self = .fedAvg(learningRate: try Field.finite(kind.learning_rate, "strategy.learning_rate"))
        case KUMIAI__V1__STRATEGY__KIND_FED_AVG_M:
            let kind = try Field.present(m.fed_avg_m, "strategy.fed_avg_m").pointee
            self = .fedAvgM(
                learningRate: try Field.finite(kind.learning_rate, "strategy.learning_rate"),
                momentum: try Field.finite(kind.momentum, "strategy.momentum"))
        default: throw WireError("strategy", "unknown kind")
        }
    }
}

extension Training {
    func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Training> {
        arena.make(kumiai__v1__training__init) { m in
            m.local_steps = UInt32(clamping: localSteps)
            m.batch = UInt32(clamping: batch)
            m.learning_rate = learningRate
            m.decay_to = decayTo
            m.weight_decay = weightDecay
            m.gradient_clip = gradientClip
            m.seed = seed
        }
    }

    init(_ m: Kumiai__V1__Training) throws {
        self.init(
            localSteps: Int(m.local_steps), batch: Int(m.batch),
            learningRate: try Field.finite(m.learning_rate, "training.learning_rate"),
            decayTo: try Field.finite(m.decay_to, "training.decay_to"),
            weightDecay: try Field.finite(m.weight_decay, "training.weight_decay"),
            gradientClip: try Field.finite(m.gradient_clip, "training.gradient_clip"), seed: m.seed)
    }
}
