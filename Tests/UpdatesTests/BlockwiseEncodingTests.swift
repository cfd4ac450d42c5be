import Contracts
import Federation
import Tensors
import TestKit
import Testing

@testable import Updates

/// Updates of several blocks: each encoding must have the same result as if all values were processed at once.
struct BlockwiseEncodingTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private static let layout = TensorLayout([(name: "a", type: .f32, shape: [2 * ValueBlocks.elements + 12_345])])
    private static let values: [Float] = {
        var generator = SplitMix64(seed: 11)
        return (0..<layout.elementCount).map { index in
            // Many values in all blocks have the same magnitude, so that top-k must choose only some of them.
            index % 7 == 0 ? (index % 2 == 0 ? 0.5 : -0.5) : Float.random(in: -1...1, using: &generator)
        }
    }()

    private func decoded(_ compression: Compression) throws -> (file: SafetensorsFile, values: [Float]) {
        let training = Training(localSteps: 1, batch: 1, learningRate: 1)
        let format = UpdateFormat(TrainedTensors(training, base: Self.layout, round: 1), compression)
        let path = directory.file("update")
        try format.write(Self.values, to: path)
        let file = try SafetensorsFile(path: path)
        return (file, try format.reader(file).values(0..<Self.values.count))
    }

    @Test func float32IsTheValuesThemselves() throws {
        #expect(try decoded(.none).values == Self.values)
    }

    @Test func int8HasTheScalesOfItsBlocksWhereverTheyAreCut() throws {
        for block in [16, 1000, 65_536] {
            let decoded = try decoded(.int8(block: block)).values
            for start in stride(from: 0, to: decoded.count, by: block) {
                let range = start..<min(decoded.count, start + block)
                let step = Self.values[range].map(abs).max()! / 127
                let worst = range.map { abs(Self.values[$0] - decoded[$0]) }.max()!
                #expect(worst <= step * 0.5001, "the block from \(start) of \(block)")
            }
        }
    }

    @Test func topKKeepsWhatSortingWouldKeep() throws {
        for fraction in [1e-7, 0.003, 0.2, 0.25] {
            let kept = max(1, Int((Double(Self.values.count) * fraction).rounded(.up)))
            let sorted = Self.values.indices.sorted { a, b in
                let (x, y) = (abs(Self.values[a]), abs(Self.values[b]))
                return x == y ? a < b : x > y
            }
            var expected = [Float](repeating: 0, count: Self.values.count)
            for index in sorted.prefix(kept) { expected[index] = Self.values[index] }
            #expect(try decoded(.topK(fraction: fraction)).values == expected, "\(fraction)")
        }
    }

    @Test(arguments: [Compression.none, .bfloat16, .int8(block: 64), .topK(fraction: 0.1)])
    func aValueThatIsNotFiniteInTheLastBlockIsRefused(compression: Compression) throws {
        var values = Self.values
        values[values.count - 1] = .infinity
        let training = Training(localSteps: 1, batch: 1, learningRate: 1)
        let format = UpdateFormat(TrainedTensors(training, base: Self.layout, round: 1), compression)
        #expect(throws: UpdateFormatError.self) { try format.write(values, to: directory.file("v")) }
    }
}
