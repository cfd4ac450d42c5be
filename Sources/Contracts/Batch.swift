/// Observations and, for training, the actions that an expert took. What a policy does not use is empty.
public struct Batch: Sendable {
    public var count: Int
    /// count × stateCount, normalised.
    public var state: [Float]
    /// count × words, ids in the vocabulary.
    public var words: [Int32]
    /// count × patches × patchPixels, −1…1.
    public var patches: [Float]
    /// count × chunk × actionCount, normalised.
    public var actions: [Float]
    /// Flow matching: where the flow starts, as ``actions``; normal.
    public var noise: [Float]
    /// Flow matching: how far along it is, count numbers of 0…1.
    public var time: [Float]

    /// Bytes of a batch, of which two are in memory at a time.
    public static func byteCount(count: Int, _ c: PolicyConfiguration) -> Int {
        4 * count * (c.stateCount + c.words + c.patches * c.patchPixels + 2 * c.chunk * c.actionCount + 1)
    }

    /// Batches may take so much at most; README.md lists it.
    public static let maximumBytes = 4 << 30

    /// Throws where a batch of `count` samples would take more.
    public static func check(count: Int, _ configuration: PolicyConfiguration, hint: String) throws {
        guard byteCount(count: count, configuration) <= maximumBytes else {
            throw ContractError(
                "a batch of \(count) samples of this policy takes more than \(maximumBytes) bytes",
                hint: hint
            )
        }
    }

    /// As many samples as fit, at least one and at most `count`.
    package static func largest(upTo count: Int, _ configuration: PolicyConfiguration) -> Int {
        max(1, min(count, maximumBytes / byteCount(count: 1, configuration)))
    }

    /// An empty batch with room for `count` samples.
    public init(count: Int, _ configuration: PolicyConfiguration) {
        self.count = count
        let actionCount = count * configuration.chunk * configuration.actionCount
        let flows = configuration.objective == .flowMatching
        state = [Float](repeating: 0, count: count * configuration.stateCount)
        words = [Int32](repeating: 0, count: count * configuration.words)
        patches = [Float](repeating: 0, count: count * configuration.patches * configuration.patchPixels)
        actions = [Float](repeating: 0, count: actionCount)
        noise = [Float](repeating: 0, count: flows ? actionCount : 0)
        time = [Float](repeating: 0, count: flows ? count : 0)
    }
}
