import Contracts

/// Consecutive samples of a batch, which one thread processes at a time.
struct Shard {
    let batch: Batch
    let range: Range<Int>
    var count: Int { range.count }
}

/// The buffers to which a pass adds the gradients of the loss; `nil` for frozen parameters.
struct Gradients {
    /// In the order of the policy's weights.
    var weights: UnsafeMutablePointer<Float>?
    /// In the order of the adapter's factors.
    var factors: UnsafeMutablePointer<Float>?
}

/// One pass over a shard. In comments on shapes, B is samples, T tokens, D width, F feed-forward width, C chunk and A
/// action.
struct Pass {
    let c: PolicyConfiguration
    let o: Offsets
    /// The weights; if there is an adapter, it is folded in.
    let w: UnsafePointer<Float>
    /// The adapter's factors and its scale.
    var factors: UnsafePointer<Float>?
    var scale: Float = 0
    let space: Workspace
    let shard: Shard

    var rows: Int { shard.count * c.tokens }
    var queryRows: Int { shard.count * c.chunk }
    func isLast(_ layer: Int) -> Bool { layer == c.layers - 1 }
    var flows: Bool { c.objective == .flowMatching }

    /// The index of the first action query among the tokens of a sample.
    var firstQuery: Int { c.tokens - c.chunk }
}
