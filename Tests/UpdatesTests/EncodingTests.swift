import Contracts
import Federation
import Foundation
import TestKit
import Tensors
import Testing

@testable import Updates

/// The encodings of updates: their loss, their size, and that every reader decodes the same values.
@Suite struct EncodingTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    static let layout = TensorLayout([("a.weight", .f32, [37, 29]), ("b.bias", .f32, [101])])
    static let count = layout.elementCount

    static func values(seed: UInt64, scale: Float = 1) -> [Float] {
        var generator = SplitMix64(seed: seed)
        return (0..<count).map { _ in
            Float.random(in: -scale...scale, using: &generator) * Float.random(in: 0...1, using: &generator)
        }
    }

    static func format(_ compression: Compression, lora: LoRA? = nil, round: Int = 1) -> UpdateFormat {
        let training = Training(localSteps: 1, batch: 1, learningRate: 1, lora: lora)
        return UpdateFormat(TrainedTensors(training, base: layout, round: round), compression)
    }

    static let compressions: [Compression] = [
        .none, .bfloat16, .int8(block: 64), .int8(block: 1000), .topK(fraction: 0.1),
    ]

    func written(_ values: [Float], _ format: UpdateFormat, rank: Int? = nil) throws -> SafetensorsFile {
        let path = directory.file("u-\(UUID())")
        try format.write(values, rank: rank, to: path)
        return try SafetensorsFile(path: path)
    }

    @Test(arguments: compressions)
    func anyPartOfAnUpdateReadsAsTheWholeDoes(compression: Compression) throws {
        let reader = try Self.format(compression).reader(written(Self.values(seed: 1), Self.format(compression)))
        let whole = try reader.values(0..<Self.count)
        var generator = SplitMix64(seed: 2)
        for _ in 0..<200 {
            let start = Int.random(in: 0..<Self.count, using: &generator),
                end = Int.random(in: start...Self.count, using: &generator)
            #expect(try reader.values(start..<end) == Array(whole[start..<end]))
        }
    }

    /// Two sites whose models did not change still send different files, because the ledger accepts a digest only once.
    @Test(arguments: compressions)
    func updatesOfTheSameValuesAreFilesOfTheirOwnSitesAndRounds(compression: Compression) throws {
        let (format, zeros) = (Self.format(compression), [Float](repeating: 0, count: Self.count))
        func file(_ origin: String) throws -> [UInt8] {
            try format.write(zeros, origin: origin, to: directory.file("origin"))
            return try directory.read("origin")
        }
        let first = try file("acme/osaka C1 round 1")
        #expect(try file("acme/osaka C1 round 1") == first)
        for other in ["bolt/turin C1 round 1", "acme/osaka C1 round 2"] { #expect(try file(other) != first) }
        #expect(try format.reader(SafetensorsFile(path: directory.file("origin"))).values(0..<Self.count) == zeros)
    }

    @Test func bfloat16KeepsEightBitsOfEachValueAndRoundsTiesToEven() throws {
        let values = Self.values(seed: 3, scale: 100)
        let decoded = try Self.format(.bfloat16).reader(written(values, Self.format(.bfloat16))).values(0..<Self.count)
        for (a, b) in zip(values, decoded) { #expect(abs(a - b) <= abs(a) * 0x1p-8) }
        var exact = [Float](repeating: 0, count: Self.count)
        // Halfway between two neighbours: 1 + 2^-8 rounds down to the even 1, 1 + 3·2^-8 up to 1 + 2^-6.
        exact.replaceSubrange(0..<4, with: [1 + 0x1p-8, 1 + 3 * 0x1p-8, -1.5, .greatestFiniteMagnitude])
        let rounded = try Self.format(.bfloat16).reader(written(exact, Self.format(.bfloat16))).values(0..<4)
        #expect(rounded[0] == 1 && rounded[1] == 1 + 0x1p-6 && rounded[2] == -1.5 && rounded[3].isFinite)
    }

    @Test func int8IsWithinHalfAStepOfItsBlock() throws {
        let values = Self.values(seed: 4)
        let decoded = try Self.format(.int8(block: 64)).reader(written(values, Self.format(.int8(block: 64)))).values(
            0..<Self.count
        )
        for start in stride(from: 0, to: Self.count, by: 64) {
            let block = start..<min(Self.count, start + 64)
            let step = values[block].map(abs).max()! / 127
            for index in block { #expect(abs(values[index] - decoded[index]) <= step * 0.5001) }
        }
    }

    @Test func topKKeepsTheLargestValuesExactlyAndNothingElse() throws {
        for fraction in [1e-9, 0.01, 0.1, 0.25] {
            var values = Self.values(seed: 5)
            // Equal magnitudes, so that the selection must stop in the middle of them.
            for index in 0..<300 { values[3 * index] = index.isMultiple(of: 2) ? 0.5 : -0.5 }
            let format = Self.format(.topK(fraction: fraction))
            let decoded = try format.reader(written(values, format)).values(0..<Self.count)
            let kept = max(1, Int((Double(Self.count) * fraction).rounded(.up)))
            #expect(decoded.count { $0 != 0 } == kept)
            #expect(zip(values, decoded).allSatisfy { $1 == 0 || $0 == $1 })
            let smallestKept = decoded.filter { $0 != 0 }.map(abs).min()!
            let largestLeft = zip(values, decoded).filter { $1 == 0 }.map { abs($0.0) }.max()!
            #expect(smallestKept >= largestLeft)
        }
    }

    @Test func filesWeighWhatTheirFormPromises() throws {
        let values = Self.values(seed: 6)
        func bytes(_ compression: Compression) throws -> Int {
            try written(values, Self.format(compression)).layout.byteCount
        }
        #expect(try bytes(.none) == 4 * Self.count)
        #expect(try bytes(.bfloat16) == 2 * Self.count)
        #expect(try bytes(.int8(block: 256)) == Self.count + 4 * ((Self.count + 255) / 256))
        #expect(try bytes(.topK(fraction: 0.05)) == 8 * Int((Double(Self.count) * 0.05).rounded(.up)))
    }

    @Test func adaptersOfAnyRankUpToThePlansAreTaken() throws {
        let lora = LoRA(rank: 4, alpha: 8, targets: ["a"])
        for compression in Self.compressions {
            for rank in 1...4 {
                let format = Self.format(compression, lora: lora)
                let count = rank * (37 + 29)
                let file = try written((0..<count).map { Float($0) / 100 }, format, rank: rank)
                let reader = try format.reader(file)
                #expect(reader.rank == rank && reader.elementCount == count)
                let smaller = Self.format(compression, lora: LoRA(rank: rank - 1, alpha: 8, targets: ["a"]))
                if rank > 1 { #expect(throws: UpdateFormatError.self) { try smaller.reader(file) } }
            }
        }
    }

    @Test func onlyTheFactorsOfTheRoundAreTaken() throws {
        let alternating = LoRA(rank: 2, alpha: 4, targets: ["a"], aggregation: .alternating)
        let odd = Self.format(.none, lora: alternating, round: 1),
            even = Self.format(.none, lora: alternating, round: 2)
        #expect(odd.trained.layout().tensors.map(\.name) == ["base_model.model.a.lora_B.weight"])
        #expect(even.trained.layout().tensors.map(\.name) == ["base_model.model.a.lora_A.weight"])
        let file = try written([Float](repeating: 1, count: 2 * 37), odd)
        #expect(try odd.reader(file).elementCount == 74)
        #expect(throws: UpdateFormatError.self) { try even.reader(file) }
    }

    @Test func whatHasAnotherFormThanThePlansIsRefused() throws {
        for sent in Self.compressions {
            let file = try written(Self.values(seed: 7), Self.format(sent))
            for wanted in Self.compressions where wanted != sent {
                #expect(throws: UpdateFormatError.self) { try Self.format(wanted).reader(file) }
            }
        }
    }

    @Test func indicesThatDoNotAscendAreFound() throws {
        let format = Self.format(.topK(fraction: 0.01))
        let kept = Int((Double(Self.count) * 0.01).rounded(.up))
        let sound = (0..<kept).map { UInt32(7 * $0) }
        for (index, bad) in [(1, UInt32(0)), (3, sound[2]), (kept - 1, UInt32(Self.count)), (kept - 1, UInt32.max)] {
            var indices = sound
            indices[index] = bad
            let writer = try SafetensorsWriter(
                path: directory.file("bad"),
                layout: TensorLayout([("indices", .u32, [kept]), ("values", .f32, [kept])])
            )
            try indices.withUnsafeBytes { try writer.append($0) }
            try writer.append([Float](repeating: 1, count: kept))
            try writer.finish()
            #expect(throws: UpdateFormatError.self) {
                try format.reader(SafetensorsFile(path: directory.file("bad"))).inspectedNorm()
            }
        }
    }

    @Test(arguments: compressions)
    func normIsThatOfTheDecodedValues(compression: Compression) throws {
        let reader = try Self.format(compression).reader(written(Self.values(seed: 8), Self.format(compression)))
        let wanted = try reader.values(0..<Self.count).reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        #expect(abs(try reader.inspectedNorm() - wanted) < 1e-9)
    }

    @Test(arguments: [Float.nan, .infinity])
    func valuesThatAreNotFiniteAreSeenOnBothSides(bad: Float) throws {
        var values = Self.values(seed: 9)
        values[507] = bad
        #expect(throws: UpdateFormatError.self) { try Self.format(.none).write(values, to: directory.file("v")) }
        let writer = try SafetensorsWriter(path: directory.file("w"), layout: Self.layout)
        try writer.append(values)
        try writer.finish()
        #expect(try !Self.format(.none).reader(SafetensorsFile(path: directory.file("w"))).inspectedNorm().isFinite)
    }
}
