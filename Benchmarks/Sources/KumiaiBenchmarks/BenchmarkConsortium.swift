import Contracts
import Federation
import Foundation
import Identity
import Tensors

/// A consortium in a folder, made with the same commands that a user would run.
final class BenchmarkConsortium {
    let folder: String
    let port: Int
    /// The kumiai program; the script `run` builds it.
    let kumiai: String

    init(sites: Int, bytes: Int, rounds: Int) throws {
        folder = NSTemporaryDirectory() + "/kumiai-bench-\(UUID().uuidString)"
        port = Int.random(in: 20_000..<30_000)
        kumiai = FileManager.default.currentDirectoryPath + "/../.build/release/kumiai"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try command("pki", "ca", "--consortium", Self.name, "--out", path("pki"))
        for (identity, name) in [("coordinator/main", "coordinator"), ("operator/alice", "operator")] {
            try command("pki", "issue", identity, "--ca", path("pki"), "--out", path(name))
        }
        try writeModel(bytes: bytes)
        try command(
            "coordinator",
            "init",
            path("coordinator"),
            "--base-model",
            path("base.safetensors"),
            "--name",
            "FY2026",
            "--listen",
            "127.0.0.1:\(port)"
        )
        try makeSites(sites)
        try run(
            [
                "campaign", "init", path("operator"), "--coordinator", "127.0.0.1:\(port)", "--base", "FY2026",
                "--release", "FY2027", "--rounds", "\(rounds)",
            ]
                + (0..<sites).flatMap { ["--site", "\(Self.site($0))"] }
        )
    }

    static let name = "bench.example"
    static func site(_ index: Int) -> SiteID { SiteID("member/site\(index)")! }

    func path(_ name: String) -> String { "\(folder)/\(name)" }
    func log(_ name: String) -> String { (try? String(contentsOfFile: path(name + ".log"), encoding: .utf8)) ?? "" }
    func remove() { try? FileManager.default.removeItem(atPath: folder) }

    private func command(_ arguments: String...) throws { try run(arguments) }

    private func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: kumiai)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("kumiai \(arguments.prefix(2).joined(separator: " ")) has failed")
        }
    }

    func start(_ arguments: [String], log: String) throws -> MeasuredProcess {
        _ = FileManager.default.createFile(atPath: path(log + ".log"), contents: nil)
        return try MeasuredProcess(arguments, error: FileHandle(forWritingTo: URL(fileURLWithPath: path(log + ".log"))))
    }

    /// Opens the campaign as soon as the coordinator listens.
    func openCampaign() throws {
        for attempt in 0..<200 {
            do {
                return try command(
                    "campaign",
                    "open",
                    path("operator/plan.toml"),
                    "--config",
                    path("operator/operator.toml")
                )
            } catch {
                if attempt == 199 { throw error }
                usleep(50_000)
            }
        }
    }

    private func makeSites(_ count: Int) throws {
        func pem(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path(name)))) }
        let authority = try CertificateAuthority(
            certificate: Certificate(pem: pem("pki/ca.pem")),
            key: PrivateKey(pem: pem("pki/ca.key"))
        )
        let now = Timestamp(milliseconds: UInt64(Date().timeIntervalSince1970 * 1000))
        for index in 0..<count {
            let key = try PrivateKey.generate()
            let certificate = try authority.issue(
                Principal(consortium: Self.name, role: .site(Self.site(index))),
                for: key.publicKey,
                at: now
            )
            try FileManager.default.createDirectory(atPath: path("site\(index)"), withIntermediateDirectories: true)
            for (name, bytes) in [
                ("ca", try authority.certificate.pem()), ("certificate", try certificate.pem()), ("key", try key.pem()),
            ] {
                let file = path("site\(index)/\(name).pem")
                _ = FileManager.default.createFile(
                    atPath: file,
                    contents: Data(bytes),
                    attributes: [.posixPermissions: 0o600]
                )
            }
        }
    }

    /// Writes a policy of about this size with all weights zero; nearly all of them are word embeddings.
    private func writeModel(bytes: Int) throws {
        let contract = Contract(
            embodiment: "none",
            instruction: "instruction",
            action: ActionSpace(space: "none", dimensions: [.init(name: "x")]),
            state: [],
            cameras: []
        )
        for width in [8, 64, 512] {
            var configuration = PolicyConfiguration(
                contract,
                words: 1,
                vocabulary: 2,
                width: width,
                layers: 1,
                heads: 1,
                feedForward: width,
                chunk: 1
            )
            configuration.vocabulary += (bytes / 4 - configuration.layout.elementCount) / width
            guard (2...65_536).contains(configuration.vocabulary) else { continue }
            let read = try PolicyConfiguration(json: configuration.json)
            let writer = try SafetensorsWriter(
                path: path("base.safetensors"),
                layout: read.layout,
                metadata: [(name: "config", value: read.json)]
            )
            try writer.append([Float](repeating: 0, count: read.layout.elementCount))
            return try writer.finish()
        }
        throw BenchmarkError("no policy has \(bytes) bytes")
    }
}
