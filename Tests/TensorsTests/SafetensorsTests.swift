import Foundation
import TestKit
import Testing

@testable import Tensors

/// The strict reader of safetensors.
@Suite struct SafetensorsTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    static func file(_ json: String, data: Int, pad: Bool = true) -> [UInt8] {
        var header = Array(json.utf8)
        while pad && header.count % 8 != 0 { header.append(0x20) }
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        return length + header + [UInt8](repeating: 0, count: data)
    }

    func open(_ bytes: [UInt8]) throws -> SafetensorsFile {
        try SafetensorsFile(path: directory.write("f.safetensors", bytes))
    }

    @Test func writtenFilesAreReadBack() throws {
        let layout = TensorLayout([("b", .f32, [2, 3]), ("a", .f32, []), ("c", .f32, [0])])
        let values: [Float] = (0..<7).map { Float($0) / 3 }
        let writer = try SafetensorsWriter(path: directory.file("w"), layout: layout, metadata: [("k", "v\n\"ü\"")])
        try writer.append(values)
        try writer.finish()
        let file = try SafetensorsFile(path: directory.file("w"))
        #expect(file.layout == layout)
        #expect(file.header[metadata: "k"] == "v\n\"ü\"")
        #expect(try file.float32s() == values)
        #expect(layout.tensors.map(\.name) == ["a", "b", "c"])
    }

    @Test func theOfficialLibraryReadsWhatWeWriteAndWeReadTheSampleModel() throws {
        let file = try SafetensorsFile(path: Repository.example("base/image.safetensors"))
        #expect(file.layout.elementCount == 430_468)
        #expect(SafetensorsHeader.encode(file.layout, metadata: file.header.metadata).count == file.header.byteCount)
    }

    @Test(arguments: [
        (
            "duplicate tensor",
            #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            4
        ),
        (
            "duplicate metadata",
            #"{"__metadata__":{"k":"1","k":"2"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4
        ),
        ("unknown field", #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}"#, 4),
        ("null metadata", #"{"__metadata__":null,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
        ("array entry", #"{"a":["F32",[1],[0,4]]}"#, 4),
        ("empty name", #"{"":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
        ("NUL in a name", #"{"a\u0000b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
        ("hole", #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8),
        (
            "overlap",
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            8
        ),
        ("wrong size", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4),
        ("data too short", #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4),
        ("data too long", #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5),
        ("overflow", #"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, 0),
        ("negative", #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}"#, 0),
        ("fraction", #"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, 4),
        ("unknown type", #"{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#, 4),
        ("leading space", #" {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
        ("newline padding", "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}\n", 4),
        ("trailing text", #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}x"#, 4),
        ("not JSON", #"{"a":"#, 0),
        ("half a surrogate", #"{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
    ])
    func malformedFilesAreRefused(what: String, json: String, data: Int) {
        #expect(throws: SafetensorsError.self, "\(what)") { try open(Self.file(json, data: data)) }
    }

    @Test func lengthsThatLieAreRefusedBeforeAnythingIsAllocated() {
        #expect(throws: SafetensorsError.self) { try open([UInt8](repeating: 0xff, count: 8)) }
        #expect(throws: SafetensorsError.self) { try open([1, 2, 3]) }
        #expect(throws: SafetensorsError.self) {
            try open([0, 0, 0, 1, 0, 0, 0, 0] + [UInt8](repeating: 0x20, count: 100))
        }
    }

    @Test func deepNestingIsRefusedRatherThanOverflowingTheStack() {
        let deep = #"{"a":"# + String(repeating: "[", count: 100_000)
        #expect(throws: SafetensorsError.self) { try open(Self.file(deep, data: 0)) }
    }

    @Test func everyTruncationOfAValidFileIsRefused() throws {
        let whole = Self.file(#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#, data: 12)
        for count in 0..<whole.count { #expect(throws: SafetensorsError.self) { try open(Array(whole.prefix(count))) } }
    }

    @Test func layoutsDifferByNameTypeShapeAndOrder() {
        let layouts = [
            TensorLayout([("a", .f32, [2, 3])]), TensorLayout([("b", .f32, [2, 3])]),
            TensorLayout([("a", .f16, [2, 3])]),
            TensorLayout([("a", .f32, [3, 2])]), TensorLayout([("a", .f32, [6])]),
            TensorLayout([("a", .f32, [2]), ("b", .f32, [3])]),
        ]
        #expect(Set(layouts.map(\.canonicalBytes)).count == layouts.count)
    }
}
