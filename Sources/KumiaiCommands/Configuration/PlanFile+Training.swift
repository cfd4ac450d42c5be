import Federation

/// What the sections of plan.toml mean: how updates are combined, and what sites do.
extension PlanFile {
    typealias Wrong = (String, String) -> UsageError

    struct StrategySection: Decodable {
        let kind: String
        let learning_rate: Decimal
        let momentum: Decimal?
        let beta1: Decimal?
        let beta2: Decimal?
        let tau: Decimal?

        func value(_ wrong: Wrong) throws -> Strategy {
            switch kind {
            case "fedavg":
                try refuse([("momentum", momentum), ("beta1", beta1), ("beta2", beta2), ("tau", tau)], wrong)
                return .fedAvg(learningRate: learning_rate.value)
            case "fedavgm", "nesterov":
                try refuse([("beta1", beta1), ("beta2", beta2), ("tau", tau)], wrong)
                guard let momentum else {
                    throw wrong("strategy.momentum", "\(kind) needs one, for example \(kind == "nesterov" ? 0.9 : 0.7)")
                }
                return kind == "nesterov"
                    ? .nesterov(learningRate: learning_rate.value, momentum: momentum.value)
                    : .fedAvgM(learningRate: learning_rate.value, momentum: momentum.value)
            case "fedadam", "fedyogi":
                try refuse([("momentum", momentum)], wrong)
                let moments = AdaptiveMoments(
                    learningRate: learning_rate.value,
                    beta1: beta1?.value ?? 0.9,
                    beta2: beta2?.value ?? 0.99,
                    adaptivity: tau?.value ?? 1e-3
                )
                return kind == "fedadam" ? .fedAdam(moments) : .fedYogi(moments)
            default: throw wrong("strategy.kind", "\"\(kind)\" is none of fedavg, fedavgm, nesterov, fedadam, fedyogi")
            }
        }

        private func refuse(_ keys: [(String, Decimal?)], _ wrong: Wrong) throws {
            for (key, value) in keys where value != nil { throw wrong("strategy.\(key)", "\(kind) has none") }
        }
    }

    struct TrainingSection: Decodable {
        let local_steps: Int?
        let local_epochs: Int?
        let batch: Int
        let learning_rate: Decimal
        let schedule: String?
        let warmup_rounds: Int?
        let decay_to: Decimal
        let weight_decay: Decimal
        let gradient_clip: Decimal
        let proximal: Decimal?
        let seed: Int

        func value(lora: LoRA?, _ wrong: Wrong) throws -> Training {
            guard let shape = RateSchedule.Shape(rawValue: schedule ?? "linear") else {
                throw wrong(
                    "training.schedule",
                    """
                    \"\(schedule ?? "")\" is none of \
                    \(RateSchedule.Shape.allCases.map(\.rawValue).joined(separator: ", "))
                    """
                )
            }
            return Training(
                localSteps: local_steps ?? 0,
                localEpochs: local_epochs ?? 0,
                batch: batch,
                learningRate: learning_rate.value,
                schedule: RateSchedule(shape, decayTo: decay_to.value, warmupRounds: warmup_rounds ?? 0),
                weightDecay: weight_decay.value,
                gradientClip: gradient_clip.value,
                proximal: proximal?.value ?? 0,
                seed: UInt64(bitPattern: Int64(seed)),
                lora: lora
            )
        }
    }

    struct LoRASection: Decodable {
        let rank: Int
        let alpha: Decimal
        let targets: [String]
        let aggregation: String?

        func value(_ wrong: Wrong) throws -> LoRA {
            guard let aggregation = LoRA.Aggregation(rawValue: aggregation ?? "exact") else {
                throw wrong(
                    "lora.aggregation",
                    """
                    \"\(aggregation ?? "")\" is none of \
                    \(LoRA.Aggregation.allCases.map(\.rawValue).joined(separator: ", "))
                    """
                )
            }
            return LoRA(rank: rank, alpha: alpha.value, targets: targets, aggregation: aggregation)
        }
    }

    struct CompressionSection: Decodable {
        let kind: String
        let block: Int?
        let fraction: Decimal?

        func value(_ wrong: Wrong) throws -> Compression {
            guard block == nil || kind == "int8" else {
                throw wrong("compression.block", "\(kind) has none; int8 does")
            }
            guard fraction == nil || kind == "topk" else {
                throw wrong("compression.fraction", "\(kind) has none; topk does")
            }
            switch kind {
            case "none": return .none
            case "bfloat16": return .bfloat16
            case "int8": return .int8(block: block ?? 256)
            case "topk":
                guard let fraction else { throw wrong("compression.fraction", "topk needs one, for example 0.05") }
                return .topK(fraction: fraction.value)
            default: throw wrong("compression.kind", "\"\(kind)\" is none of none, bfloat16, int8, topk")
            }
        }
    }
}
