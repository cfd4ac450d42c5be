import Glibc

/// Executes overlapping chunks of actions smoothly: each step's action is the weighted mean of all chunks that foresaw
/// it, with weights exp(−decay·i), i = 0 for the oldest (ACT, Zhao 2023, arXiv:2304.13705).
public struct TemporalEnsemble: Sendable {
    private let actionCount: Int
    private let decay: Double
    /// Chunks still in force, oldest first; `age`: steps since each was predicted.
    private var chunks: [(actions: [Float], age: Int)] = []

    public init(actionCount: Int, decay: Double = 0.01) {
        precondition(actionCount > 0)
        self.actionCount = actionCount
        self.decay = decay
    }

    /// Takes the chunk predicted at this step, chunk × actionCount, and returns the action to execute now.
    public mutating func step(_ chunk: [Float]) -> [Float] {
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
