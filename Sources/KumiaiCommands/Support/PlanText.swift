import Federation

/// A plan's choices as text, in the terms of plan.toml.
extension Strategy {
    var text: String {
        switch self {
        case .fedAvg: "\(name), learning rate \(learningRate)"
        case .fedAvgM(_, let momentum), .nesterov(_, let momentum):
            "\(name), learning rate \(learningRate), momentum \(momentum)"
        case .fedAdam(let moments), .fedYogi(let moments):
            """
            \(name), learning rate \(learningRate), beta1 \(moments.beta1), beta2 \(moments.beta2), tau \
            \(moments.adaptivity)
            """
        }
    }
}

extension Compression {
    var text: String {
        switch self {
        case .none, .bfloat16: name
        case .int8(let block): "\(name), blocks of \(block) values"
        case .topK(let fraction): "\(name), a fraction of \(fraction) of the values"
        }
    }
}
