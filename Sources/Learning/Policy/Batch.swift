/// Observations and, for training, the actions that an expert took.
public struct Batch: Sendable {
    public var count: Int
    /// count × stateCount, normalised.
    public var state: [Float]
    /// count × words, ids in the vocabulary.
    public var words: [Int32]
    /// count × patches × patchPixels, −1…1; empty without images.
    public var patches: [Float]
    /// count × chunk × actionCount.
    public var actions: [Float]

    /// An empty batch with room for `count` samples.
    public init(count: Int, _ configuration: PolicyConfiguration) {
        self.count = count
        state = [Float](repeating: 0, count: count * configuration.stateCount)
        words = [Int32](repeating: 0, count: count * configuration.words)
        patches = [Float](repeating: 0, count: count * configuration.patches * configuration.patchPixels)
        actions = [Float](repeating: 0, count: count * configuration.chunk * configuration.actionCount)
    }
}
