import Federation
import KumiaiProto

extension Training {
    /// On the wire one message holds what is trained and in what form it is sent.
    func packed(in arena: Arena, _ compression: Compression) -> UnsafeMutablePointer<Kumiai__V1__Training> {
        arena.make(kumiai__v1__training__init) { m in
            m.local_steps = UInt32(clamping: localSteps)
            m.local_epochs = UInt32(clamping: localEpochs)
            m.batch = UInt32(clamping: batch)
            m.learning_rate = learningRate
            m.schedule = schedule.shape.wireValue
            m.decay_to = schedule.decayTo
            m.warmup_rounds = UInt32(clamping: schedule.warmupRounds)
            m.weight_decay = weightDecay
            m.gradient_clip = gradientClip
            m.proximal = proximal
            m.seed = seed
            m.lora = lora?.packed(in: arena)
            m.compression = compression.packed(in: arena)
            // Earlier versions have no such field, and their plans keep their bytes.
            if betas != .standard {
                m.betas = arena.make(kumiai__v1__adam_betas__init) {
                    $0.first = betas.first
                    $0.second = betas.second
                }
            }
        }
    }

    init(_ m: Kumiai__V1__Training) throws {
        self.init(
            localSteps: Int(m.local_steps),
            localEpochs: Int(m.local_epochs),
            batch: Int(m.batch),
            learningRate: try Field.finite(m.learning_rate, "training.learning_rate"),
            schedule: RateSchedule(
                try RateSchedule.Shape(m.schedule),
                decayTo: try Field.finite(m.decay_to, "training.decay_to"),
                warmupRounds: Int(m.warmup_rounds)
            ),
            weightDecay: try Field.finite(m.weight_decay, "training.weight_decay"),
            gradientClip: try Field.finite(m.gradient_clip, "training.gradient_clip"),
            betas: try m.betas.map {
                AdamBetas(
                    first: try Field.finite($0.pointee.first, "training.beta1"),
                    second: try Field.finite($0.pointee.second, "training.beta2")
                )
            } ?? .standard,
            proximal: try Field.finite(m.proximal, "training.proximal"),
            seed: m.seed,
            lora: try m.lora.map { try LoRA($0.pointee) }
        )
    }
}

extension RateSchedule.Shape {
    private static let wireValues: [(RateSchedule.Shape, Kumiai__V1__RateSchedule)] = [
        (.linear, KUMIAI__V1__RATE_SCHEDULE__LINEAR), (.cosine, KUMIAI__V1__RATE_SCHEDULE__COSINE),
        (.constant, KUMIAI__V1__RATE_SCHEDULE__CONSTANT),
    ]

    fileprivate var wireValue: Kumiai__V1__RateSchedule { Self.wireValues.first { $0.0 == self }!.1 }

    fileprivate init(_ value: Kumiai__V1__RateSchedule) throws {
        guard let shape = Self.wireValues.first(where: { $0.1 == value })?.0 else {
            throw WireError("training.schedule", "unknown")
        }
        self = shape
    }
}

extension LoRA {
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__LoRA> {
        arena.make(kumiai__v1__lo_ra__init) { m in
            m.rank = UInt32(clamping: rank)
            m.alpha = alpha
            m.n_targets = targets.count
            m.targets = arena.strings(targets)
            m.aggregation = aggregation.wireValue
        }
    }

    fileprivate init(_ m: Kumiai__V1__LoRA) throws {
        self.init(
            rank: Int(m.rank),
            alpha: try Field.finite(m.alpha, "lora.alpha"),
            targets: try Field.list(m.targets, m.n_targets, "lora.targets", atMost: PlanLimits.loraTargets) {
                try Field.text($0, "lora.targets")
            },
            aggregation: try Aggregation(m.aggregation)
        )
    }
}

extension LoRA.Aggregation {
    private static let wireValues: [(LoRA.Aggregation, Kumiai__V1__AdapterAggregation)] = [
        (.exact, KUMIAI__V1__ADAPTER_AGGREGATION__EXACT), (.average, KUMIAI__V1__ADAPTER_AGGREGATION__AVERAGE),
        (.alternating, KUMIAI__V1__ADAPTER_AGGREGATION__ALTERNATING),
        (.frozenA, KUMIAI__V1__ADAPTER_AGGREGATION__FROZEN_A),
    ]

    fileprivate var wireValue: Kumiai__V1__AdapterAggregation { Self.wireValues.first { $0.0 == self }!.1 }

    fileprivate init(_ value: Kumiai__V1__AdapterAggregation) throws {
        guard let aggregation = Self.wireValues.first(where: { $0.1 == value })?.0 else {
            throw WireError("lora.aggregation", "unknown")
        }
        self = aggregation
    }
}

extension Compression {
    init(of training: Kumiai__V1__Training) throws {
        self = try training.compression.map { try Compression($0.pointee) } ?? .none
    }

    /// `nil` for none.
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Compression>? {
        guard self != .none else { return nil }
        return arena.make(kumiai__v1__compression__init) { m in
            switch self {
            case .none: break
            case .bfloat16:
                m.kind_case = KUMIAI__V1__COMPRESSION__KIND_BFLOAT16
                m.bfloat16 = arena.make(kumiai__v1__bfloat16__init) { _ in }
            case .int8(let block):
                m.kind_case = KUMIAI__V1__COMPRESSION__KIND_INT8
                m.int8 = arena.make(kumiai__v1__int8__init) { $0.block = UInt32(clamping: block) }
            case .topK(let fraction):
                m.kind_case = KUMIAI__V1__COMPRESSION__KIND_TOP_K
                m.top_k = arena.make(kumiai__v1__top_k__init) { $0.fraction = fraction }
            }
        }
    }

    fileprivate init(_ m: Kumiai__V1__Compression) throws {
        switch m.kind_case {
        case KUMIAI__V1__COMPRESSION__KIND_BFLOAT16: self = .bfloat16
        case KUMIAI__V1__COMPRESSION__KIND_INT8:
            self = .int8(block: Int(try Field.present(m.int8, "compression.int8").pointee.block))
        case KUMIAI__V1__COMPRESSION__KIND_TOP_K:
            self = .topK(
                fraction: try Field.finite(
                    try Field.present(m.top_k, "compression.top_k").pointee.fraction,
                    "compression.fraction"
                )
            )
        default: throw WireError("compression", "unknown kind")
        }
    }
}
