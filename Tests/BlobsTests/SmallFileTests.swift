import TestKit
import Testing

@testable import Blobs

/// Small files that are replaced as a whole.
struct SmallFileTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// Found by the simulator: a draft that is another name of the file itself must not be written to.
    @Test func aFileIsWholeUntilItIsReplacedEvenIfItsDraftIsALinkToIt() throws {
        let disk = SystemDisk(), path = directory.file("head")
        try disk.store(Array("former".utf8), at: path)
        try disk.link(path, to: path + ".new")
        let former = try disk.open(path, .reading)
        try disk.store(Array("next".utf8), at: path)
        var bytes = [UInt8](repeating: 0, count: 10)
        let count = try bytes.withUnsafeMutableBytes { try former.read(into: $0, at: 0) }
        #expect(String(decoding: bytes[..<count], as: UTF8.self) == "former")
        #expect(try disk.contents(of: path) == Array("next".utf8))
        #expect(disk.names(in: directory.path) == ["head"])
    }
}
