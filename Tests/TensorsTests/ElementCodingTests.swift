import TestKit
import Testing

@testable import Tensors

/// Element types of weights: float32, bfloat16 and float16.
struct ElementCodingTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func written(_ values: [Float], as type: ElementType) throws -> SafetensorsFile {
        let path = directory.file("\(type.rawValue).safetensors")
        let writer = try SafetensorsWriter(path: path, layout: TensorLayout([("a", type, [values.count])]))
        try writer.append(values)
        try writer.finish()
        return try SafetensorsFile(path: path)
    }

    @Test(
        arguments: [
            (
                ElementType.bf16,
                [1 + 0x1p-8, 1 + 3 * 0x1p-8, -1.5, .greatestFiniteMagnitude, -.greatestFiniteMagnitude],
                [1, 1 + 0x1p-6, -1.5, 0x1.fep127, -0x1.fep127]
            ),
            (.f16, [1 + 0x1p-11, 1 + 3 * 0x1p-11, -1.5, 65_520, -1e30], [1, 1 + 0x1p-9, -1.5, 65_504, -65_504]),
            (.f32, [1 + 0x1p-20, 1e30], [1 + 0x1p-20, 1e30]),
        ] as [(ElementType, [Float], [Float])]
    )
    func numbersAreRoundedToNearestTiesToEvenAndStayFinite(type: ElementType, values: [Float], rounded: [Float]) throws
    {
        #expect(try written(values, as: type).float32s() == rounded)
    }

    @Test func everyHalfIsWrittenAsItWasRead() throws {
        for type in [ElementType.bf16, .f16] {
            let halves = (0...UInt16.max).filter { half in
                // NaN keeps its sign and upper bits only.
                type == .bf16 ? half & 0x7f80 != 0x7f80 : half & 0x7c00 != 0x7c00
            }
            let path = directory.file("halves")
            let layout = TensorLayout([("a", type, [halves.count])])
            let writer = try SafetensorsWriter(path: path, layout: layout)
            try halves.withUnsafeBytes { try writer.append($0) }
            try writer.finish()
            let values = try SafetensorsFile(path: path).float32s()
            let again = try written(values, as: type)
            var bytes = [UInt8](repeating: 0, count: 2 * halves.count)
            try bytes.withUnsafeMutableBytes { try again.read(into: $0, at: 0) }
            #expect(bytes == halves.withUnsafeBytes(Array.init), "\(type)")
        }
    }

    @Test func aFileOfSeveralTypesIsReadAndWrittenInAnyParts() throws {
        var generator = SplitMix64(seed: 3)
        let layout = TensorLayout([
            ("a", .f32, [300]), ("b", .bf16, [17, 3]), ("c", .f16, [40]), ("empty", .f16, [0, 4]),
            ("scalar", .bf16, []),
        ])
        let values = (0..<layout.elementCount).map { _ in Float(Int.random(in: -128...128, using: &generator)) / 64 }
        let path = directory.file("mixed")
        let writer = try SafetensorsWriter(path: path, layout: layout)
        var start = 0
        while start < values.count {
            let count = min(values.count - start, Int.random(in: 1...90, using: &generator))
            try writer.append(Array(values[start..<start + count]))
            start += count
        }
        try writer.finish()
        let file = try SafetensorsFile(path: path)
        #expect(try file.float32s() == values)
        #expect(file.layout.byteCount == 1200 + 2 * (51 + 40 + 1) && file.layout.holdsWeights)
        for _ in 0..<200 {
            let first = Int.random(in: 0...values.count, using: &generator)
            let range = first..<Int.random(in: first...values.count, using: &generator)
            #expect(try file.float32s(range) == Array(values[range]))
        }
        for (name, range) in file.layout.elementRanges {
            #expect(try file.values(of: #require(file.layout[name])) == Array(values[range]), "\(name)")
        }
        #expect(layout.asFloat32.tensors.map(\.name) == layout.tensors.map(\.name))
        #expect(layout.asFloat32.byteCount == 4 * layout.elementCount)
    }

    @Test func wholeNumbersAreNoWeights() throws {
        let path = directory.file("ids")
        let writer = try SafetensorsWriter(path: path, layout: TensorLayout([("a", .f32, [1]), ("ids", .i32, [2])]))
        try writer.append([1])
        try [Int32(1), 2].withUnsafeBytes { try writer.append($0) }
        try writer.finish()
        let file = try SafetensorsFile(path: path)
        #expect { try file.float32s() } throws: { "\($0)".contains("ids is I32; expected F32, BF16 or F16") }
        #expect(try file.values(of: #require(file.layout["a"])) == [1])
    }
}
