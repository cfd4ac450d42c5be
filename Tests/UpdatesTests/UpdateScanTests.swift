import Contracts
import CKernels
import Federation
import Foundation
import TestKit
import Tensors
import Testing

@testable import Updates

/// Scanning an update as its bytes arrive gives the same result as reading it from its file.
@Suite struct UpdateScanTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// A layout with more values than a block, which are not a multiple of any block size.
    private static let large = TensorLayout([("w", .f32, [3, 100_003]), ("b", .f32, [7])])

    private func scan(_ file: [UInt8], cuts generator: inout SplitMix64, longest: Int) -> UpdateScan {
        var scan = UpdateScan(byteCount: UInt64(file.count))
        var start = 0
        while start < file.count {
            let end = min(file.count, start + Int.random(in: 1...longest, using: &generator))
            file[start..<end].withUnsafeBytes { scan.update($0) }
            start = end
        }
        return scan
    }

    private func file(_ values: [Float], _ format: UpdateFormat, rank: Int? = nil) throws -> (
        bytes: [UInt8], file: SafetensorsFile
    ) {
        let path = directory.file("u-\(UUID())")
        try format.write(values, rank: rank, origin: "here", to: path)
        return (Array(try Data(contentsOf: URL(fileURLWithPath: path))), try SafetensorsFile(path: path))
    }

    @Test func howeverTheBytesAreCutTheNormIsThatOfTheFile() throws {
        var generator = SplitMix64(seed: 5)
        let format = UpdateFormat(
            TrainedTensors(Training(localSteps: 1, batch: 1, learningRate: 1), base: Self.large, round: 1),
            .none
        )
        let values = (0..<Self.large.elementCount).map { _ in Float.random(in: -1...1, using: &generator) }
        let (bytes, file) = try file(values, format)
        let norm = try format.reader(file).inspectedNorm()
        for longest in [3, 1000, 70_000, 1 << 20, bytes.count] {
            let scanned = try #require(scan(bytes, cuts: &generator, longest: longest).result)
            #expect(try format.norm(of: scanned)?.bitPattern == norm.bitPattern, "parts of up to \(longest) bytes")
        }
        // Summed as in earlier versions: blocks of 2^18 values, 16 lanes each.
        var sum = 0.0
        for start in stride(from: 0, to: values.count, by: 1 << 18) {
            sum += kumiai_sum_of_squares(
                Array(values[start..<min(values.count, start + 1 << 18)]),
                Int64(min(values.count - start, 1 << 18))
            )
        }
        #expect(norm.bitPattern == sum.squareRoot().bitPattern)
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func aValueThatIsNotFiniteIsSeen(bad: Float) throws {
        var generator = SplitMix64(seed: 6)
        let layout = EncodingTests.layout
        var values = EncodingTests.values(seed: 1)
        values[500] = bad
        let bytes = SafetensorsHeader.encode(layout) + values.withUnsafeBytes(Array.init)
        let scanned = try #require(scan(bytes, cuts: &generator, longest: 100).result)
        #expect(try EncodingTests.format(.none).norm(of: scanned)?.isFinite == false)
    }

    @Test func anAdapterOfASmallerRankIsKnownByItsHeader() throws {
        var generator = SplitMix64(seed: 7)
        let format = EncodingTests.format(.none, lora: LoRA(rank: 4, alpha: 8, targets: ["a"], aggregation: .exact))
        let count = format.trained.layout(rank: 2).elementCount
        let (bytes, file) = try file((0..<count).map { Float($0) / 100 }, format, rank: 2)
        let scanned = try #require(scan(bytes, cuts: &generator, longest: 50).result)
        #expect(try format.norm(of: scanned)?.bitPattern == format.reader(file).inspectedNorm().bitPattern)
        #expect(throws: UpdateFormatError.self) { try EncodingTests.format(.none).norm(of: scanned) }
    }

    @Test func whatMustBeDecodedOrIsNoSafetensorsIsLeftToWhoReadsIt() throws {
        var generator = SplitMix64(seed: 8)
        for compression in EncodingTests.compressions where compression != .none {
            let format = EncodingTests.format(compression)
            let (bytes, _) = try file(EncodingTests.values(seed: 2), format)
            let scanned = scan(bytes, cuts: &generator, longest: 200).result
            #expect(try scanned.flatMap(format.norm) == nil, "\(compression)")
        }
        let whole =
            SafetensorsHeader.encode(EncodingTests.layout)
            + [UInt8](repeating: 0, count: EncodingTests.layout.byteCount)
        #expect(scan(whole, cuts: &generator, longest: 64).result != nil)
        var early = UpdateScan(byteCount: UInt64(whole.count + 1))
        whole.withUnsafeBytes { early.update($0) }
        #expect(early.result == nil, "before its end nothing is known")
        for bad in [[], [1, 2, 3], [UInt8](repeating: 255, count: 100), [2, 0, 0, 0, 0, 0, 0, 0, 91, 93]] as [[UInt8]] {
            #expect(scan(bad, cuts: &generator, longest: 5).result == nil, "\(bad.prefix(9))")
        }
    }
}
