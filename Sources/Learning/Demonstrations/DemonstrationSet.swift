import CKernels

/// Demonstrations in memory as (observation, next actions) pairs, ready to be made into batches.
public struct DemonstrationSet: Sendable {
    public let configuration: PolicyConfiguration
    /// The tasks that the demonstrations show, sorted.
    public private(set) var tasks: [String] = []
    /// Demonstrations, and samples in all of them.
    public private(set) var demonstrationCount = 0
    public private(set) var count = 0
    private(set) var state: [Float] = []
    private(set) var words: [Int32] = []
    /// Pixels in the order of the patches.
    private(set) var pixels: [UInt8] = []
    private(set) var actions: [Float] = []

    init(_ configuration: PolicyConfiguration) { self.configuration = configuration }

    mutating func take(
        actions: [Float], state: [Float], words: [Int32], pixels: [UInt8], count: Int, demonstrations: Int, tasks: [String]
    ) {
        (self.actions, self.state, self.words, self.pixels) = (actions, state, words, pixels)
        (self.count, demonstrationCount, self.tasks) = (count, demonstrations, tasks)
    }

    /// Fills a batch with the samples at `indices`.
    public func fill(_ batch: inout Batch, with indices: [Int]) {
        precondition(batch.count == indices.count)
        let c = configuration
        let patchCount = c.patches * c.patchPixels
        for (row, index) in indices.enumerated() {
            copy(state, index, into: &batch.state, row, width: c.stateCount)
            copy(words, index, into: &batch.words, row, width: c.words)
            copy(actions, index, into: &batch.actions, row, width: c.chunk * c.actionCount)
            guard c.usesImage else { continue }
            batch.patches.withUnsafeMutableBufferPointer { out in
                pixels.withUnsafeBufferPointer { pixels in
                    kumiai_normalise_bytes(pixels.baseAddress! + index * patchCount, out.baseAddress! + row * patchCount, Int64(patchCount))
                }
            }
        }
    }

    private func copy<T>(_ source: [T], _ index: Int, into target: inout [T], _ row: Int, width: Int) {
        target.withUnsafeMutableBufferPointer { target in
            source.withUnsafeBufferPointer { source in
                (target.baseAddress! + row * width).update(from: source.baseAddress! + index * width, count: width)
            }
        }
    }

    /// Random samples with replacement.
    public func randomIndices(_ count: Int, using generator: inout SeededGenerator) -> [Int] {
        (0..<count).map { _ in Int.random(in: 0..<self.count, using: &generator) }
    }

    /// Adds a demonstration of `length` steps.
    mutating func append(_ demonstration: Demonstration) {
        let c = configuration
        state += demonstration.states
        let ids = Tokenizer.ids(demonstration.instruction, count: c.words, vocabulary: c.vocabulary)
        for _ in 0..<demonstration.length { words += ids }
        if c.usesImage { pixels += patched(demonstration.images, length: demonstration.length) }
        let a = c.actionCount
        for step in 0..<demonstration.length {
            for ahead in 0..<c.chunk {
                // The last action is repeated beyond the end.
                let source = min(step + ahead, demonstration.length - 1)
                actions += demonstration.actions[source * a..<(source + 1) * a]
            }
        }
        count += demonstration.length
        demonstrationCount += 1
        if !tasks.contains(demonstration.task) { tasks = (tasks + [demonstration.task]).sorted() }
    }

    /// Images H×W×3 with the pixels of each patch side by side.
    private func patched(_ images: [UInt8], length: Int) -> [UInt8] {
        let side = configuration.imageSide, patch = configuration.patchSide
        let grid = side / patch
        var out: [UInt8] = []
        out.reserveCapacity(images.count)
        for step in 0..<length {
            let image = step * side * side * 3
            for row in 0..<grid {
                for column in 0..<grid {
                    for line in 0..<patch {
                        let start = image + ((row * patch + line) * side + column * patch) * 3
                        out += images[start..<start + patch * 3]
                    }
                }
            }
        }
        return out
    }
}

/// One demonstration as its file holds it.
struct Demonstration {
    let task: String
    let instruction: String
    let length: Int
    /// length × stateCount, normalised.
    let states: [Float]
    /// length × side × side × 3; empty without images.
    let images: [UInt8]
    /// length × actionCount.
    let actions: [Float]
}
