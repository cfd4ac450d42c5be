import Foundation
import TestKit
import Tensors
import Testing

/// Models, adapters and outputs that users name on the command line.
@Suite struct ModelCommandTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    static let base = Repository.example("base/state.safetensors")
    static let data = Repository.example("sites/window-open.hdf5")

    private func kumiai(_ arguments: String...) throws -> Shell.Outcome { try Shell.run([Shell.kumiai] + arguments) }

    private func expect(_ outcome: Shell.Outcome, _ status: Int32, _ texts: String...) {
        #expect(
            outcome.status == status && texts.allSatisfy { outcome.error.contains($0) },
            "\(outcome.status): \(outcome.error)"
        )
    }

    /// The sample model with one value changed.
    private func model(_ name: String, _ tensor: String, _ element: Int, _ value: Float) throws -> String {
        let base = try SafetensorsFile(path: Self.base)
        var values = try base.float32s()
        values[try #require(base.layout[tensor]).range.lowerBound / 4 + element] = value
        let writer = try SafetensorsWriter(
            path: directory.file(name),
            layout: base.layout,
            metadata: base.header.metadata
        )
        try writer.append(values)
        try writer.finish()
        return directory.file(name)
    }

    /// The sample model with another contract.
    private func modelOfAnotherContract(_ name: String) throws -> String {
        let base = try SafetensorsFile(path: Self.base)
        let metadata = base.header.metadata.map { entry in
            (
                name: entry.name,
                value: entry.value.replacingOccurrences(of: "\"control_hz\": 0", with: "\"control_hz\": 10")
            )
        }
        #expect(metadata.map(\.value) != base.header.metadata.map(\.value))
        let writer = try SafetensorsWriter(path: directory.file(name), layout: base.layout, metadata: metadata)
        try writer.append(base.float32s())
        try writer.finish()
        return directory.file(name)
    }

    @Test func noAdapterIsExtractedBetweenModelsOfDifferentContracts() throws {
        let other = try modelOfAnotherContract("other.safetensors"), out = directory.file("out")
        try expect(
            kumiai("adapter", "extract", Self.base, other, "--out", out),
            6,
            "have different configurations or contracts"
        )
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    /// PEFT stores an embedding's factors in another form: factors in the form of a linear module would be ignored.
    @Test func anEmbeddingGetsNoLinearFactors() throws {
        let out = directory.file("out")
        try expect(
            kumiai("adapter", "extract", Self.base, Self.base, "--target", "word", "--out", out),
            1,
            "word is an embedding"
        )
        try expect(
            kumiai("adapter", "extract", Self.base, Self.base, "--alpha", "1e300", "--out", out),
            64,
            "--alpha: expected 0.000001 to 1000000"
        )
        #expect(!FileManager.default.fileExists(atPath: out))
    }

    private func adapter() throws -> String {
        let path = directory.file("adapter")
        if !FileManager.default.fileExists(atPath: path) {
            try #require(
                kumiai("policy", "tune", Self.base, Self.data, "--rank", "2", "--steps", "2", "--out", path).status == 0
            )
        }
        return path
    }

    // MARK: NaN and infinity

    @Test func aModelWithNaNIsRefusedByEveryCommand() throws {
        let odd = try model("odd.safetensors", "head.bias", 2, .nan), out = directory.file("out")
        let reason = "\(odd): head.bias[2] is NaN"
        try expect(kumiai("policy", "show", odd), 1, reason)
        try expect(kumiai("policy", "evaluate", odd, Self.data), 1, reason)
        try expect(kumiai("policy", "tune", odd, Self.data, "--steps", "1", "--out", out), 1, reason)
        try expect(kumiai("adapter", "merge", odd, adapter(), "--force", "--out", out), 1, "the base model \(reason)")
        try expect(kumiai("policy", "evaluate", Self.base, Self.data, "--adapter", adapter(), "--json"), 0)
        try expect(kumiai("adapter", "extract", odd, Self.base, "--out", out), 1, "the base model \(reason)")
        try expect(kumiai("adapter", "extract", Self.base, odd, "--out", out), 1, "the model \(reason)")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == [
                "adapter", "odd.safetensors",
            ]
        )
    }

    @Test func aBaseModelWithNaNFoundsNoConsortium() throws {
        let odd = try model("odd.safetensors", "pos", 7, .infinity), coordinator = directory.file("coordinator")
        #expect(
            try kumiai("pki", "ca", "--consortium", "test.kumiai.example", "--out", directory.file("pki")).status == 0
        )
        #expect(
            try kumiai("pki", "issue", "coordinator/main", "--ca", directory.file("pki"), "--out", coordinator).status
                == 0
        )
        try expect(
            kumiai("coordinator", "init", coordinator, "--base-model", odd, "--name", "FY2026"),
            1,
            "the base model \(odd): pos[0, 7] is infinity"
        )
        #expect(!FileManager.default.fileExists(atPath: coordinator + "/data/ledger.sqlite"))
        #expect(!FileManager.default.fileExists(atPath: coordinator + "/data/log.key"))
        #expect(
            try kumiai("coordinator", "init", coordinator, "--base-model", Self.base, "--name", "FY2026").status == 0
        )
    }

    @Test func aModelInSeveralFilesIsABaseModelLikeAnyOther() throws {
        let whole = try SafetensorsFile(path: Self.base)
        var map: [String: String] = [:]
        for (number, part) in [whole.layout.tensors.prefix(9), whole.layout.tensors.dropFirst(9)].enumerated() {
            let name = "model-0000\(number + 1)-of-00002.safetensors"
            let layout = TensorLayout(part.map { (name: $0.name, type: $0.type, shape: $0.shape) })
            let writer = try SafetensorsWriter(
                path: directory.file(name),
                layout: layout,
                metadata: whole.header.metadata
            )
            for tensor in layout.tensors {
                try writer.append(whole.values(of: try #require(whole.layout[tensor.name])))
                map[tensor.name] = name
            }
            try writer.finish()
        }
        let index = directory.file("model.safetensors.index.json")
        try JSONSerialization.data(withJSONObject: ["weight_map": map]).write(to: URL(fileURLWithPath: index))
        let shown = try kumiai("policy", "show", index), expected = try kumiai("policy", "show", Self.base)
        #expect(
            shown.status == 0
                && shown.output.split(separator: "\n").dropFirst()
                    == expected.output.split(separator: "\n").dropFirst(),
            "\(shown.error)"
        )
        let coordinator = directory.file("coordinator")
        #expect(
            try kumiai("pki", "ca", "--consortium", "test.kumiai.example", "--out", directory.file("pki")).status == 0
        )
        #expect(
            try kumiai("pki", "issue", "coordinator/main", "--ca", directory.file("pki"), "--out", coordinator).status
                == 0
        )
        try expect(kumiai("coordinator", "init", coordinator, "--base-model", directory.path, "--name", "FY2026"), 0)
        let blobs = coordinator + "/data/blobs/objects"
        let names = try FileManager.default.subpathsOfDirectory(atPath: blobs).filter {
            $0.hasSuffix(".safetensors") || $0.split(separator: "/").last?.count == 64
        }
        #expect(names.count == 1)
        #expect(try SafetensorsFile(path: "\(blobs)/\(names[0])").float32s() == whole.float32s())
        try FileManager.default.removeItem(atPath: directory.file("model-00002-of-00002.safetensors"))
        try expect(
            kumiai("policy", "show", index),
            1,
            "to the shard model-00002-of-00002.safetensors, which is missing"
        )
    }

    @Test(arguments: [[], ["--rank", "2"]]) func aTuningThatDivergesWritesNothing(options: [String]) throws {
        let out = directory.file("out")
        let outcome = try Shell.run(
            [
                Shell.kumiai, "policy", "tune", Self.base, Self.data, "--steps", "6", "--learning-rate", "1e36",
                "--out", out,
            ] + options
        )
        expect(outcome, 1, "the training diverged in step", "nothing was written", "smaller --learning-rate")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    }

    // MARK: Files

    @Test(.timeLimit(.minutes(2))) func whatIsNoRegularFileIsRefusedAtOnce() throws {
        let fifo = directory.file("fifo")
        #expect(mkfifo(fifo, 0o600) == 0)
        let text = "fifo is a FIFO; expected a regular file"
        try expect(kumiai("policy", "show", fifo), 1, text)
        try expect(kumiai("policy", "init", fifo, "--out", directory.file("x")), 6, text)
        try expect(
            kumiai("adapter", "merge", fifo, adapter(), "--out", directory.file("x")),
            1,
            "the base model \(fifo) is a FIFO"
        )
        try expect(
            kumiai("adapter", "extract", Self.base, "/dev/zero", "--out", directory.file("x")),
            1,
            "the model /dev/zero is a device"
        )
        let odd = directory.file("odd-adapter")
        try FileManager.default.createDirectory(atPath: odd, withIntermediateDirectories: true)
        #expect(mkfifo(odd + "/adapter_config.json", 0o600) == 0)
        try expect(
            kumiai("adapter", "merge", Self.base, odd, "--out", directory.file("y")),
            1,
            "adapter_config.json is a FIFO"
        )
        try expect(kumiai("adapter", "merge", Self.base, adapter(), "--out", fifo, "--force"), 6, "fifo is a FIFO")
    }

    /// Foundation's path components crash the process if the path has one character.
    @Test func aPathOfOneCharacterIsAPath() throws {
        let script = """
            cd \(directory.path) && cp \(Repository.example("base/state.safetensors")) b && \(Shell.kumiai) policy \
            init > z && \(Shell.kumiai) policy init z --out y && \(Shell.kumiai) adapter extract b b --rank 2 --out e
            """
        let outcome = try Shell.run(["bash", "-c", script])
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test func errorsSayWhetherTheBaseOrTheAdapterIsMeant() throws {
        let pointer = try directory.write(
            "pointer.safetensors",
            Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".utf8)
        )
        try expect(
            kumiai("adapter", "merge", pointer, adapter(), "--out", directory.file("x")),
            1,
            "the base model \(pointer) is a Git LFS pointer",
            "git lfs pull"
        )
        let broken = directory.file("broken")
        try FileManager.default.copyItem(atPath: adapter(), toPath: broken)
        try directory.write(
            "broken/adapter_model.safetensors",
            Array("version https://git-lfs.github.com/spec/v1\n".utf8)
        )
        try expect(
            kumiai("adapter", "merge", Self.base, broken, "--out", directory.file("x")),
            1,
            "the adapter's \(broken)/adapter_model.safetensors is a Git LFS pointer"
        )
    }

    // MARK: Outputs

    @Test func outputsReplaceFilesOnlyWithForce() throws {
        let config = try directory.write("config.json", Array(kumiai("policy", "init").output.utf8)),
            out = directory.file("out"),
            merged = directory.file("merged")
        let adapter = try adapter()
        let commands = [
            (["policy", "init", config, "--out", out], out),
            (["policy", "tune", Self.base, Self.data, "--steps", "1", "--out", out], out),
            (["adapter", "merge", Self.base, adapter, "--out", merged], merged),
        ]
        for (arguments, path) in commands {
            try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
            func run(_ more: String...) throws -> Shell.Outcome { try Shell.run([Shell.kumiai] + arguments + more) }
            try expect(run(), 6, "\(path) exists; it was not overwritten", "--force")
            #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("precious".utf8))
            try expect(run("--force"), 0)
            #expect(try SafetensorsFile(path: path).layout.elementCount > 0)
        }
        // An adapter is two files in a directory, which may contain other files.
        try directory.write("adapter/notes.txt", [1])
        for arguments in [
            ["policy", "tune", Self.base, Self.data, "--rank", "2", "--steps", "1", "--out", adapter],
            ["adapter", "extract", Self.base, merged, "--rank", "3", "--out", adapter],
        ] {
            let before = try directory.read("adapter/adapter_model.safetensors")
            try expect(Shell.run([Shell.kumiai] + arguments), 6, "exists; it was not overwritten")
            #expect(try directory.read("adapter/adapter_model.safetensors") == before)
            try expect(Shell.run([Shell.kumiai] + arguments + ["--force"]), 0)
            #expect(try directory.read("adapter/adapter_model.safetensors") != before)
            let names = try FileManager.default.contentsOfDirectory(atPath: adapter).sorted()
            #expect(names == ["adapter_config.json", "adapter_model.safetensors", "notes.txt"])
        }
        let fresh = directory.file("fresh")
        try expect(kumiai("adapter", "extract", Self.base, merged, "--out", fresh), 0)
        #expect(try PEFTAdapter(reading: fresh).modules.count > 0)
        // An input is not replaced, even if it is in the output directory.
        let weights = try directory.read("adapter/adapter_model.safetensors")
        try expect(
            kumiai("adapter", "merge", Self.base, adapter, "--out", adapter + "/adapter_model.safetensors", "--force"),
            6,
            "is the input"
        )
        #expect(try directory.read("adapter/adapter_model.safetensors") == weights)
        // A user's file beside an output is not touched.
        _ = try directory.write("near.safetensors.new", Array("precious".utf8))
        try FileManager.default.createDirectory(atPath: fresh + "/.new", withIntermediateDirectories: true)
        _ = try directory.write("fresh/.new/note", Array("precious".utf8))
        try expect(kumiai("policy", "init", config, "--out", directory.file("near.safetensors")), 0)
        try expect(kumiai("adapter", "extract", Self.base, merged, "--rank", "2", "--out", fresh, "--force"), 0)
        for name in ["near.safetensors.new", "fresh/.new/note"] {
            #expect(try directory.read(name) == Array("precious".utf8))
        }
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasPrefix(".kumiai") }
                .isEmpty
        )
        // A dangling link counts as an existing file.
        let link = directory.file("link")
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "/nowhere")
        try expect(kumiai("policy", "init", config, "--out", link), 6, "link exists")
    }
}
