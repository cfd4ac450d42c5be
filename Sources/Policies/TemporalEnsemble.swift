import Glibc

/// Averages overlapping chunks of actions: the action of each step is the weighted mean of its predictions in all
/// chunks, with weights exp(−decay·i), i = 0 for the oldest chunk (ACT, Zhao 2023, arXiv:2304.13705).
package struct TemporalEnsemble: Sendable {
    private let actionCount: Int
    private let decay: Double
    /// The chunks that contain the current step, oldest first. `age` is the number of steps since the prediction.
    private var chunks: [(actions: [Float], age: Int)] = []

    package init(actionCount: Int, decay: Double = 0.01) {
        precondition(actionCount > 0)
        self.actionCount = actionCount
        self.decay = decay
    }

    /// Adds the chunk that was predicted at this step (chunk × actionCount), and returns the action to execute now.
    package mutating func step(_ chunk: [Float]) -> [Float] {
        precondition(!chunk.isEmpty && chunk.count.isMultiple(of: actionCount))
        chunks =
            chunks.map { ($0.actions, $0.age + 1) }.filter { $0.age * actionCount < $0.actions.count } + [(chunk, 0)]
        var sums = [Double](repeating: 0, count: actionCount)
        var total = 0.0
        for (index, chunk) in chunks.enumerated() {
            let weight = exp(-decay * Double(index))
            total += weight
            for number in 0..<actionCount {
                sums[number] += weight * Double(chunk.actions[chunk.age * actionCount + number])
            }
        }
        return sums.map { Float($0 / total) }
    }
}
