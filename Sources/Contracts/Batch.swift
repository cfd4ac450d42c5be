/// Observations and, for training, the expert's actions. Arrays that the policy does not use are empty.
public struct Batch: Sendable {
    public var count: Int
    /// count × stateCount, normalised.
    public var state: [Float]
    /// count × words, token ids.
    public var words: [Int32]
    /// count × patches × patchPixels, each from −1 to 1.
    public var patches: [Float]
    /// count × chunk × actionCount, normalised.
    public var actions: [Float]
    /// For flow matching: the start of the flow, with the shape of ``actions``; normally distributed.
    public var noise: [Float]
    /// For flow matching: the time of each sample in the flow, from 0 to 1; `count` values.
    public var time: [Float]

    /// Returns the memory of one batch, in bytes; two batches are in memory at a time.
    ///
    /// - Parameters:
    ///   - count: The number of samples.
    ///   - c: The policy that the batch is for.
    public static func byteCount(count: Int, _ c: PolicyConfiguration) -> Int {
        MemoryLayout<Float>.size * count
            * (c.stateCount + c.words + c.patches * c.patchPixels + 2 * c.chunk * c.actionCount + 1)
    }

    /// The largest allowed size of a batch; listed in README.md.
    public static let maximumBytes = 4 << 30

    /// Checks that a batch of `count` samples is not larger than ``maximumBytes``.
    ///
    /// - Parameters:
    ///   - count: The number of samples.
    ///   - configuration: The policy that the batch is for.
    ///   - hint: The hint of the error.
    /// - Throws: ``ContractError`` if it is larger.
    public static func check(count: Int, _ configuration: PolicyConfiguration, hint: String) throws {
        guard byteCount(count: count, configuration) <= maximumBytes else {
            throw ContractError(
                "a batch of \(count) samples of this policy takes more than \(maximumBytes) bytes",
                hint: hint
            )
        }
    }

    /// The largest number of samples whose batch fits into ``maximumBytes``, at least 1 and at most `count`.
    package static func largest(upTo count: Int, _ configuration: PolicyConfiguration) -> Int {
        max(1, min(count, maximumBytes / byteCount(count: 1, configuration)))
    }

    /// Creates a batch of `count` samples that are all zeros.
    ///
    /// - Parameters:
    ///   - count: The number of samples.
    ///   - configuration: The policy that the batch is for; arrays that it does not use stay empty.
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
