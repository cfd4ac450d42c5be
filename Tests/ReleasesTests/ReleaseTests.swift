import Federation
import Foundation
import Identity
import TestKit
import Tensors
import Testing

@testable import Releases

/// Signed release directories.
@Suite struct ReleaseTests {
    let consortium: ConsortiumFixture
    let directory: TemporaryDirectory
    init() throws {
        consortium = try ConsortiumFixture()
        directory = try TemporaryDirectory()
    }

    func release() throws -> ReleaseDirectory {
        try ReleaseFixture.release(consortium, consortium.identity(.coordinator("main")), in: directory)
    }

    @Test func releaseVerifiesAndSaysWhatItIs() throws {
        let release = try release()
        #expect(try release.verify(roots: consortium.roots).role == .coordinator("main"))
        let summary = try release.summary()
        #expect(summary.release == "FY2027" && summary.base == "FY2026" && summary.consortium == ConsortiumFixture.name)
    }

    @Test func anyChangedFileIsNamed() throws {
        let release = try release()
        for name in try FileManager.default.contentsOfDirectory(atPath: release.path) {
            let file = URL(fileURLWithPath: "\(release.path)/\(name)")
            let whole = try Data(contentsOf: file)
            for index in stride(from: 0, to: whole.count, by: max(1, whole.count / 40)) {
                var bytes = whole
                bytes[index] ^= 1
                try bytes.write(to: file)
                #expect(throws: (any Error).self, "\(name) byte \(index)") {
                    try release.verify(roots: consortium.roots)
                }
            }
            try whole.write(to: file)
        }
        #expect(throws: Never.self) { try release.verify(roots: consortium.roots) }
    }

    @Test func addedAndMissingFilesAreNamed() throws {
        let release = try release()
        let extra = "\(release.path)/extra"
        try "x".write(toFile: extra, atomically: true, encoding: .utf8)
        #expect(throws: ReleaseError("extra is not covered by the signature")) {
            try release.verify(roots: consortium.roots)
        }
        try FileManager.default.removeItem(atPath: extra)
        try FileManager.default.removeItem(atPath: "\(release.path)/config.json")
        #expect(throws: ReleaseError("config.json is missing")) { try release.verify(roots: consortium.roots) }
    }

    @Test func onlyTheConsortiumsCoordinatorMaySign() throws {
        let release = try release()
        #expect(throws: IdentityError(.notTrusted, "")) { try release.verify(roots: ConsortiumFixture().roots) }
    }

    @Test func aReleaseReachedThroughALinkVerifies() throws {
        let release = try release(), link = directory.file("current")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: release.path)
        for path in [link, link + "/", release.path + "/."] {
            #expect(throws: Never.self, "\(path)") { try ReleaseDirectory(path: path).verify(roots: consortium.roots) }
        }
    }

    @Test(arguments: ["model.safetensors", "config.json", "lineage.json", "model.sig"]) func aLinkInAReleaseIsRefused(
        name: String
    ) throws {
        let release = try release(), file = "\(release.path)/\(name)", elsewhere = directory.file("elsewhere")
        // The same bytes, but another file.
        try FileManager.default.moveItem(atPath: file, toPath: elsewhere)
        try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: elsewhere)
        #expect(
            performing: { try release.verify(roots: consortium.roots) },
            throws: { "\($0)".contains("\(name) is a symbolic link") }
        )
    }

    @Test func aLinkToADirectoryInAReleaseIsRefused() throws {
        let release = try release()
        try FileManager.default.createSymbolicLink(atPath: "\(release.path)/more", withDestinationPath: directory.path)
        #expect(
            performing: { try release.verify(roots: consortium.roots) },
            throws: { "\($0)".contains("more is a symbolic link") }
        )
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["model.sig", "lineage.json", "extra"])
    func aFIFOInAReleaseIsRefusedAtOnce(name: String) throws {
        let release = try release(), path = "\(release.path)/\(name)"
        try? FileManager.default.removeItem(atPath: path)
        #expect(mkfifo(path, 0o600) == 0)
        #expect(
            performing: { try release.verify(roots: consortium.roots) },
            throws: { "\($0)".contains("\(name) is a FIFO") }
        )
    }

    @Test func aModelWithAValueThatIsNotFiniteIsNotReleased() throws {
        let base = try SafetensorsFile(path: Repository.example("base/state.safetensors"))
        var values = try base.float32s()
        let tensor = try #require(base.layout["head.weight"])
        values[tensor.range.lowerBound / 4 + 3] = .nan
        let path = directory.file("model")
        let writer = try SafetensorsWriter(path: path, layout: base.layout, metadata: base.header.metadata)
        try writer.append(values)
        try writer.finish()
        let error = #expect(throws: NotFiniteError.self) {
            try ReleaseFixture.release(
                consortium,
                consortium.identity(.coordinator("main")),
                model: path,
                in: directory
            )
        }
        #expect(error?.tensor == "head.weight" && error?.index == [0, 3])
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["model"])
    }

    @Test func anAdapterIsNotExtractedFromValuesThatAreNotFinite() throws {
        let layout = TensorLayout([("m.fc1.weight", .f32, [2, 3])])
        func model(_ name: String, _ values: [Float]) throws -> SafetensorsFile {
            let writer = try SafetensorsWriter(path: directory.file(name), layout: layout)
            try writer.append(values)
            try writer.finish()
            return try SafetensorsFile(path: directory.file(name), called: "the \(name)")
        }
        let sound = try model("base", [1, 2, 3, 4, 5, 6]), odd = try model("other", [1, 2, 3, 4, .infinity, 6])
        func extract(_ base: SafetensorsFile, _ model: SafetensorsFile) throws -> AdapterExtraction {
            try AdapterExtraction(from: base, to: model, rank: 1, alpha: 1, targets: ["fc1"])
        }
        #expect(
            performing: { try extract(sound, odd) },
            throws: { "\($0)" == "the other: m.fc1.weight[1, 1] is infinity" }
        )
        #expect(
            performing: { try extract(odd, sound) },
            throws: { "\($0)" == "the other: m.fc1.weight[1, 1] is infinity" }
        )
    }
}
