import Federation
import KumiaiProto

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
            case .nesterov(let rate, let momentum):
                m.kind_case = KUMIAI__V1__STRATEGY__KIND_NESTEROV
                m.nesterov = arena.make(kumiai__v1__nesterov__init) {
                    $0.learning_rate = rate
                    $0.momentum = momentum
                }
            case .fedAdam(let moments):
                m.kind_case = KUMIAI__V1__STRATEGY__KIND_FED_ADAM
                m.fed_adam = moments.packed(in: arena)
            case .fedYogi(let moments):
                m.kind_case = KUMIAI__V1__STRATEGY__KIND_FED_YOGI
                m.fed_yogi = moments.packed(in: arena)
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
                momentum: try Field.finite(kind.momentum, "strategy.momentum")
            )
        case KUMIAI__V1__STRATEGY__KIND_NESTEROV:
            let kind = try Field.present(m.nesterov, "strategy.nesterov").pointee
            self = .nesterov(
                learningRate: try Field.finite(kind.learning_rate, "strategy.learning_rate"),
                momentum: try Field.finite(kind.momentum, "strategy.momentum")
            )
        case KUMIAI__V1__STRATEGY__KIND_FED_ADAM:
            self = .fedAdam(try AdaptiveMoments(try Field.present(m.fed_adam, "strategy.fed_adam").pointee))
        case KUMIAI__V1__STRATEGY__KIND_FED_YOGI:
            self = .fedYogi(try AdaptiveMoments(try Field.present(m.fed_yogi, "strategy.fed_yogi").pointee))
        default: throw WireError("strategy", "unknown kind")
        }
    }
}

extension AdaptiveMoments {
    fileprivate func packed(in arena: Arena) -> UnsafeMutablePointer<Kumiai__V1__Adaptive> {
        arena.make(kumiai__v1__adaptive__init) {
            $0.learning_rate = learningRate
            $0.beta1 = beta1
            $0.beta2 = beta2
            $0.adaptivity = adaptivity
        }
    }

    fileprivate init(_ m: Kumiai__V1__Adaptive) throws {
        self.init(
            learningRate: try Field.finite(m.learning_rate, "strategy.learning_rate"),
            beta1: try Field.finite(m.beta1, "strategy.beta1"),
            beta2: try Field.finite(m.beta2, "strategy.beta2"),
            adaptivity: try Field.finite(m.adaptivity, "strategy.adaptivity")
        )
    }
}
