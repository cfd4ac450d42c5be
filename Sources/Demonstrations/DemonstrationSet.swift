import Contracts
import CKernels

/// Demonstrations in memory as pairs of an observation and the next actions, from which batches are made.
package struct DemonstrationSet: Sendable {
    package let configuration: PolicyConfiguration
    /// The tasks of the demonstrations, sorted; at most ``DemonstrationLimits/listedTasks``.
    package private(set) var tasks: [String] = []
    /// The range of the samples of each demonstration, in order.
    package private(set) var episodes: [Range<Int>] = []
    package var demonstrationCount: Int { episodes.count }
    /// The number of samples in all demonstrations.
    package var count: Int { episodes.last?.upperBound ?? 0 }
    /// A summary for people.
    package internal(set) var summary = DemonstrationSummary()
    package private(set) var state: [Float] = []
    package private(set) var words: [Int32] = []
    /// The pixels, in the order of the patches.
    package private(set) var pixels: [UInt8] = []
    package private(set) var actions: [Float] = []

    init(_ configuration: PolicyConfiguration) { self.configuration = configuration }

    /// A non-cryptographic hash. It distinguishes different data, but collisions can be made on purpose.
    package var fingerprint: UInt64 {
        var print = Fingerprint()
        state.withUnsafeBytes { print.add($0) }
        words.withUnsafeBytes { print.add($0) }
        pixels.withUnsafeBytes { print.add($0) }
        actions.withUnsafeBytes { print.add($0) }
        return print.value
    }

    mutating func take(
        actions: [Float],
        state: [Float],
        words: [Int32],
        pixels: [UInt8],
        lengths: [Int],
        tasks: [String],
        summary: DemonstrationSummary
    ) {
        (self.actions, self.state, self.words, self.pixels, self.tasks) = (actions, state, words, pixels, tasks)
        self.summary = summary
        episodes = []
        for length in lengths { episodes.append(count..<count + length) }
    }

    /// Fills a batch with the samples at `indices`.
    package func fill(_ batch: inout Batch, with indices: [Int]) {
        precondition(batch.count == indices.count)
        let c = configuration
        let patchCount = c.patches * c.patchPixels
        for (row, index) in indices.enumerated() {
            copy(state, index, into: &batch.state, row, width: c.stateCount)
            copy(words, index, into: &batch.words, row, width: c.words)
            copy(actions, index, into: &batch.actions, row, width: c.chunk * c.actionCount)
            guard c.usesImages else { continue }
            batch.patches.withUnsafeMutableBufferPointer { out in
                pixels.withUnsafeBufferPointer { pixels in
                    kumiai_normalise_bytes(
                        pixels.baseAddress! + index * patchCount,
                        out.baseAddress! + row * patchCount,
                        Int64(patchCount)
                    )
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

    /// Adds a demonstration of `length` steps.
    mutating func append(_ demonstration: Demonstration) {
        let c = configuration
        state += demonstration.states
        let ids = Tokenizer.ids(demonstration.instruction, count: c.words, vocabulary: c.vocabulary)
        for _ in 0..<demonstration.length { words += ids }
        if c.usesImages { pixels += patched(demonstration.images, length: demonstration.length) }
        let a = c.actionCount
        for step in 0..<demonstration.length {
            for ahead in 0..<c.chunk {
                // After the end, the last action is repeated.
                let source = min(step + ahead, demonstration.length - 1)
                actions += demonstration.actions[source * a..<(source + 1) * a]
            }
        }
        episodes.append(count..<count + demonstration.length)
        let task = String(demonstration.task.prefix(256))
        if tasks.count < DemonstrationLimits.listedTasks, !tasks.contains(task) { tasks = (tasks + [task]).sorted() }
    }

    /// Reorders pixels so that each patch is contiguous: step by step, camera by camera, patch by patch.
    private func patched(_ images: [[UInt8]], length: Int) -> [UInt8] {
        let side = configuration.patchSide
        var out: [UInt8] = []
        out.reserveCapacity(length * configuration.patches * configuration.patchPixels)
        for step in 0..<length {
            for (camera, bytes) in zip(configuration.contract.cameras, images) {
                for top in stride(from: 0, to: camera.height, by: side) {
                    for left in stride(from: 0, to: camera.width, by: side) {
                        for row in top..<top + side {
                            let start = step * camera.byteCount + (row * camera.width + left) * 3
                            out += bytes[start..<start + side * 3]
                        }
                    }
                }
            }
        }
        return out
    }
}

/// One demonstration, normalised.
struct Demonstration {
    let task: String
    let instruction: String
    let length: Int
    /// length × stateCount, normalised.
    let states: [Float]
    /// For each camera: length × height × width × 3.
    let images: [[UInt8]]
    /// length × actionCount, normalised.
    let actions: [Float]
}
