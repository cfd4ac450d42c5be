import Foundation
import TestKit
import Testing

@testable import Tensors

/// Files that users name as a model: other file formats, models in several files, invalid files.
@Suite struct ModelFileTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func refused(_ path: String, _ texts: String...) {
        #expect(
            performing: { try SafetensorsFile(path: path) },
            throws: { error in texts.allSatisfy { "\(error)".contains($0) } }
        )
    }

    @discardableResult
    private func write(
        _ name: String,
        _ tensors: [(name: String, type: ElementType, shape: [Int])],
        _ values: [Float],
        config: String? = nil
    ) throws -> String {
        let metadata = config.map { [(name: "config", value: $0)] } ?? []
        let writer = try SafetensorsWriter(
            path: directory.file(name),
            layout: TensorLayout(tensors),
            metadata: metadata
        )
        try writer.append(values)
        try writer.finish()
        return directory.file(name)
    }

    // MARK: Padding

    @Test(arguments: 0..<9) func aHeaderMayBePaddedToAnyLength(padding: Int) throws {
        let json = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"# + String(repeating: " ", count: padding)
        let bytes = SafetensorsTests.file(json, data: 8, pad: false)
        #expect(try SafetensorsFile(path: directory.write("f", bytes)).float32s() == [0, 0])
    }

    // MARK: Other files

    @Test func whatIsNoSafetensorsFileIsNamed() throws {
        func write(_ text: String) throws -> String { try directory.write("m.safetensors", Array(text.utf8)) }
        let pointer =
            "version https://git-lfs.github.com/spec/v1\noid sha256:\(String(repeating: "a", count: 64))\nsize 12345\n"
        try refused(write(pointer), directory.file("m.safetensors"), "Git LFS pointer")
        try refused(write("PK\u{3}\u{4}\u{14}\u{0}\u{0}\u{0}archive/data.pkl"), "zip archive")
        try refused(
            directory.write("m.pt", [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a]),
            "m.pt",
            "pickle"
        )
        try refused(directory.write("m.h5", [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0]), "HDF5")
        try refused(write("<!DOCTYPE html><html><body>log in</body></html>"), "web page")
        try refused(write(#"{"metadata": {"total_size": 1}, "weight_map": {"a": "b"}}"#), "index of a model")
        try refused(write(#"{"type": "kumiai_vla", "dim_model": 32}"#), "JSON file")
        try refused(write(""), directory.file("m.safetensors"), "is empty")
        refused(directory.file("nowhere"), "cannot open", "nowhere")
    }

    @Test func aModelWhoseFirstBytesAreThoseOfAPickleIsRead() throws {
        // A header of 0x280 bytes.
        let json = #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
        let bytes = SafetensorsTests.file(json + String(repeating: " ", count: 0x280 - json.utf8.count), data: 4)
        #expect(bytes[0] == 0x80 && bytes[1] == 0x02)
        #expect(try SafetensorsFile(path: directory.write("f", bytes)).float32s() == [0])
    }

    @Test(.timeLimit(.minutes(1))) func whatIsNoRegularFileIsRefusedAtOnce() throws {
        let fifo = directory.file("fifo")
        #expect(mkfifo(fifo, 0o600) == 0)
        refused(fifo, "fifo is a FIFO")
        refused("/dev/zero", "/dev/zero is a device")
        refused(directory.path, "is a directory without model.safetensors")
        #expect(throws: InputFileError.self) { try RegularFile.read(fifo, atMost: 100) }
        let long = try directory.write("long", [UInt8](repeating: 1, count: 101))
        #expect { try RegularFile.read(long, atMost: 100) } throws: {
            "\($0)".contains("101 bytes; expected at most 100")
        }
        let link = directory.file("link")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: long)
        #expect(try RegularFile.read(link, atMost: 200).count == 101)
        #expect { try RegularFile.read(link, atMost: 200, followsLinks: false) } throws: {
            "\($0)".contains("a symbolic link")
        }
    }

    @Test func errorsCallAFileWhatItIsNeededFor() throws {
        let path = try directory.write("m", [UInt8](repeating: 7, count: 100))
        #expect { try SafetensorsFile(path: path, called: "the base model \(path)") } throws: {
            "\($0)".hasPrefix("the base model \(path) is not a valid safetensors file: ")
        }
    }

    // MARK: Several files

    private func shards(index: String) throws -> String {
        try write(
            "model-1.safetensors",
            [("b.weight", .f32, [2, 3]), ("a.bias", .f32, [2])],
            [1, 2, 11, 12, 13, 14, 15, 16],
            config: "c"
        )
        try write("model-2.safetensors", [("a.weight", .f32, [3]), ("z", .f32, [])], [21, 22, 23, 31], config: "c")
        return try directory.write("model.safetensors.index.json", Array(index.utf8))
    }

    private static let index = """
        {"metadata": {"total_size": 48}, "weight_map": {"a.bias": "model-1.safetensors", "a.weight": \
        "model-2.safetensors",
         "b.weight": "model-1.safetensors", "z": "model-2.safetensors"}}
        """

    @Test func aModelInSeveralFilesIsReadAsTheOneFileThatItWouldBe() throws {
        let index = try shards(index: Self.index)
        let one = try write(
            "whole.safetensors",
            [("b.weight", .f32, [2, 3]), ("a.bias", .f32, [2]), ("a.weight", .f32, [3]), ("z", .f32, [])],
            [1, 2, 21, 22, 23, 11, 12, 13, 14, 15, 16, 31],
            config: "c"
        )
        for path in [index, directory.path] {
            let file = try SafetensorsFile(path: path)
            try file.copy(to: directory.file("copy"))
            #expect(try directory.read("copy") == directory.read("whole.safetensors"))
            #expect(
                try file.layout == SafetensorsFile(path: one).layout
                    && file.values(of: file.layout["b.weight"]!) == [11, 12, 13, 14, 15, 16]
            )
            try file.checkFinite()
        }
        // Any range, from any byte.
        let whole = try directory.read("whole.safetensors"), file = try SafetensorsFile(path: index),
            start = file.header.byteCount
        for offset in 0..<48 {
            for count in 0...(48 - offset) {
                var bytes = [UInt8](repeating: 0, count: count)
                try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
                #expect(bytes[...] == whole[(start + offset)..<(start + offset + count)])
            }
        }
    }

    @Test func aMissingShardOrTensorIsNamed() throws {
        let index = try shards(index: Self.index)
        try FileManager.default.removeItem(atPath: directory.file("model-2.safetensors"))
        refused(index, "a.weight and 1 other tensor", "the shard model-2.safetensors, which is missing")
        try write("model-2.safetensors", [("a.weight", .f32, [3])], [1, 2, 3], config: "c")
        refused(index, "the tensor z is not in the shard model-2.safetensors")
        try write(
            "model-2.safetensors",
            [("a.weight", .f32, [3]), ("z", .f32, []), ("b.weight", .f32, [])],
            [1, 2, 3, 4, 5],
            config: "c"
        )
        refused(index, "the shard model-2.safetensors contains b.weight")
        try write("model-2.safetensors", [("a.weight", .f32, [3]), ("z", .f32, [])], [1, 2, 3, 4], config: "another")
        refused(index, "its shards disagree about config")
    }

    @Test func anIndexLeadsNowhereButBesideItself() throws {
        for place in ["\"../model-1.safetensors\"", "\"/etc/passwd\"", "\"..\"", "7", "\"\""] {
            refused(
                try shards(index: "{\"weight_map\": {\"a\": \(place)}}"),
                "assigns a to something that is not a file name"
            )
        }
        refused(try shards(index: "{}"), "weight_map is missing")
        refused(try shards(index: "["), "it is not JSON")
    }

    // MARK: NaN and infinity

    private static let odd: [(ElementType, [UInt8], String)] = [
        (.f64, [0, 0, 0, 0, 0, 0, 0xf8, 0x7f], "NaN"), (.f64, [0, 0, 0, 0, 0, 0, 0xf0, 0xff], "-infinity"),
        (.f32, [0, 0, 0xc0, 0x7f], "NaN"),
        (.f32, [1, 0, 0x80, 0xff], "NaN"), (.f32, [0, 0, 0x80, 0x7f], "infinity"), (.f16, [0, 0x7e], "NaN"),
        (.f16, [0, 0x7c], "infinity"),
        (.bf16, [0xc0, 0x7f], "NaN"), (.bf16, [0x80, 0xff], "-infinity"),
    ]

    @Test(arguments: odd.indices) func aValueThatIsNotFiniteIsNamedByTensorAndIndex(number: Int) throws {
        let (type, value, text) = Self.odd[number]
        let layout = TensorLayout([
            (name: "a", type: .u8, shape: [type.byteCount]), (name: "w", type: type, shape: [3, 5]),
        ])
        // All bits set is NaN in a float, and an ordinary value in an integer.
        var data = [UInt8](repeating: 0, count: 15 * type.byteCount) + [UInt8](repeating: 0xff, count: type.byteCount)
        func file() throws -> SafetensorsFile {
            try SafetensorsFile(path: directory.write("f", SafetensorsHeader.encode(layout) + data))
        }
        try file().checkFinite()
        data.replaceSubrange(13 * type.byteCount..<14 * type.byteCount, with: value)
        let error = #expect(throws: NotFiniteError.self) { try file().checkFinite() }
        #expect(
            error?.tensor == "w" && error?.index == [2, 3] && error?.value == text
                && error?.description == "\(directory.file("f")): w[2, 3] is \(text)"
        )
    }

    @Test func theLargestAndSmallestNumbersAreFinite() throws {
        let values: [Float] = [.greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, -0.0]
        let layout = TensorLayout([(name: "w", type: .f32, shape: [4])])
        try layout.checkFinite(values)
        try SafetensorsFile(path: write("f", [("w", .f32, [4])], values)).checkFinite()
    }

    @Test func oneValueAmongManyBlocksIsFound() throws {
        let count = SafetensorsFile.blockBytes
        var values = [Float](repeating: 1, count: count)
        values[count - 1] = .infinity
        let path = try write("f", [("w", .f32, [count])], values)
        let error = #expect(throws: NotFiniteError.self) { try SafetensorsFile(path: path).checkFinite() }
        #expect(error?.index == [count - 1])
        let layout = TensorLayout([(name: "a", type: .f32, shape: [count - 1]), (name: "b", type: .f32, shape: [])])
        #expect(throws: NotFiniteError.self) { try layout.checkFinite(values) }
        do { try layout.checkFinite(values, called: "m") } catch { #expect("\(error)" == "m: b is infinity") }
    }
}
