/// The loss and its gradient with respect to the output.
extension Pass {
    /// Returns the shard's part of the mean loss over all `total` samples of the batch, and sets `space.doutput`.
    func loss(total: Int) -> Float {
        let start = shard.range.lowerBound * c.chunk * c.actionCount
        return shard.batch.actions.withUnsafeBufferPointer { actions in
            let wanted = actions.baseAddress! + start
            switch c.objective {
            case .absoluteError: return absoluteError(wanted, total)
            case .squaredError: return squaredError(total) { wanted[$0] }
            case .flowMatching: return squaredError(total) { wanted[$0] - shard.batch.noise[start + $0] }
            }
        }
    }

    private var outputs: Int { queryRows * c.actionCount }
    private func unit(_ total: Int) -> Float { 1 / Float(total * c.chunk * c.actionCount) }

    private func absoluteError(_ wanted: UnsafePointer<Float>, _ total: Int) -> Float {
        let unit = unit(total)
        var sum: Float = 0
        for index in 0..<outputs {
            let difference = space.output[index] - wanted[index]
            sum += abs(difference)
            space.doutput[index] = difference > 0 ? unit : difference < 0 ? -unit : 0
        }
        return sum * unit
    }

    private func squaredError(_ total: Int, _ wanted: (Int) -> Float) -> Float {
        let unit = unit(total)
        var sum: Float = 0
        for index in 0..<outputs {
            let difference = space.output[index] - wanted(index)
            sum += difference * difference
            space.doutput[index] = 2 * unit * difference
        }
        return sum * unit
    }
}
