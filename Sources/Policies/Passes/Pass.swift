import Contracts

/// A run of a batch's samples: what one thread works on at a time.
struct Shard {
    let batch: Batch
    let range: Range<Int>
    var count: Int { range.count }
}

/// Where a pass adds the gradients of the loss; `nil` for what is frozen.
struct Gradients {
    /// In the order of the policy's weights.
    var weights: UnsafeMutablePointer<Float>?
    /// In the order of the adapter's factors.
    var factors: UnsafeMutablePointer<Float>?
}

/// One pass over a shard. Shapes in comments: B samples, T tokens, D width, F feed-forward width, C chunk, A action.
struct Pass {
    let c: PolicyConfiguration
    let o: Offsets
    /// The weights, into which an adapter, where there is one, has been folded.
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

    /// The token of the first action query of a sample.
    var firstQuery: Int { c.tokens - c.chunk }
}
