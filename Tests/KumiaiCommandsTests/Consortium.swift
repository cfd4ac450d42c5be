import Contracts
import Federation
import Foundation
import Identity
import NIOPosix
import Tensors
import TestKit
import Transport
import Worker

/// A fixture: a consortium of real processes, made with the commands that a user would run.
final class Consortium {
    let directory: TemporaryDirectory
    let port = Shell.freePort()
    private var processes: [Process] = []
    static let sites = ["acme/osaka", "bolt/turin", "cyan/lyon"]
    static let tasks = ["window-open", "drawer-open", "faucet-open"]

    struct CommandFailed: Error {
        let arguments: [String]
        let outcome: Shell.Outcome
    }

    /// Founds the consortium and makes all certificates and configurations, with `sites` native workers.
    /// `learning`: options of `campaign init`.
    /// `baseModel`: if given, the sites are not native workers; the test uses their directories as it needs.
    init(
        sites: Int = 2,
        rounds: Int = 3,
        localSteps: Int = 2,
        quorum: Int? = nil,
        baseModel: String? = nil,
        learning: [String] = []
    ) throws {
        directory = try TemporaryDirectory()
        try found(baseModel ?? Repository.example("base/state.safetensors"))
        for index in 0..<sites {
            let name = directoryName(index)
            try issue("member/\(Self.sites[index].replacingOccurrences(of: "/", with: "/site/"))", name)
            try kumiai(
                "worker",
                "init",
                path(name),
                "--coordinator",
                "127.0.0.1:\(port)",
                "--demonstrations",
                Repository.example("sites/\(Self.tasks[index]).hdf5"),
                "--exit-when-finished"
            )
        }
        try plan(Self.sites.prefix(sites), rounds: rounds, learning)
        try edit("operator/plan.toml", "local_steps = 10", "local_steps = \(localSteps)")
        // The quorum that `campaign init` writes is two thirds of the sites, rounded up.
        if let quorum { try edit("operator/plan.toml", "quorum = \((2 * sites + 2) / 3)", "quorum = \(quorum)") }
        try edit("coordinator/coordinator.toml", "heartbeat_seconds = 5", "heartbeat_seconds = 1")
    }

    /// A consortium of many sites, `member/site` each, whose workers run in this process.
    init(names: [String], rounds: Int, baseModel: String) throws {
        directory = try TemporaryDirectory()
        try found(baseModel)
        let authority = try certificateAuthority()
        let now = ConsortiumFixture.systemTime()
        for name in names {
            let key = try PrivateKey.generate()
            let principal = Principal(consortium: ConsortiumFixture.name, role: .site(SiteID(name)!))
            let folder = folderName(name)
            try FileManager.default.createDirectory(atPath: path(folder), withIntermediateDirectories: true)
            try directory.write("\(folder)/ca.pem", authority.certificate.pem())
            try directory.write(
                "\(folder)/certificate.pem",
                authority.issue(principal, for: key.publicKey, at: now).pem()
            )
            try IdentityFile.create(key, at: path("\(folder)/key.pem"))
        }
        try plan(names[...], rounds: rounds)
    }

    private func found(_ baseModel: String) throws {
        try kumiai("pki", "ca", "--consortium", "test.kumiai.example", "--out", path("pki"))
        try issue("coordinator/main", "coordinator")
        try issue("operator/alice", "operator")
        try issue("auditor/bob", "auditor")
        try kumiai(
            "coordinator",
            "init",
            path("coordinator"),
            "--base-model",
            baseModel,
            "--name",
            "FY2026",
            "--listen",
            "127.0.0.1:\(port)"
        )
    }

    private func plan(_ names: ArraySlice<String>, rounds: Int, _ learning: [String] = []) throws {
        try initCampaign(["--rounds", "\(rounds)"] + names.flatMap { ["--site", $0] } + learning)
    }

    /// Writes the plan of a campaign for this coordinator.
    func initCampaign(base: String = "FY2026", release: String = "FY2027", _ options: [String]) throws {
        try kumiai(
            [
                "campaign", "init", path("operator"), "--coordinator", "127.0.0.1:\(port)", "--base", base,
                "--release", release,
            ] + options
        )
    }

    private func folderName(_ name: String) -> String { name.replacingOccurrences(of: "/", with: "-") }

    /// The configuration of a worker in this process; a test may set another port to reach the coordinator.
    func workerConfiguration(_ site: Int, port: Int? = nil) -> WorkerConfiguration {
        workerConfiguration(named: Self.sites[site], port: port)
    }

    func workerConfiguration(named name: String, port: Int? = nil) -> WorkerConfiguration {
        let folder = path(folderName(name))
        return WorkerConfiguration(
            consortium: "test.kumiai.example",
            host: "127.0.0.1",
            port: port ?? self.port,
            authority: folder + "/ca.pem",
            certificate: folder + "/certificate.pem",
            key: folder + "/key.pem",
            dataDirectory: folder + "/data",
            demonstrations: ""
        )
    }

    /// A policy of zeros with `bytes` of parameters, or up to 4 KiB less; nearly all of them are word embeddings.
    static func model(bytes: Int, in directory: TemporaryDirectory) throws -> String {
        let path = directory.file("base.safetensors")
        let (configuration, layout) = try policy(bytes: bytes)
        let writer = try SafetensorsWriter(
            path: path,
            layout: layout,
            metadata: [(name: "config", value: configuration.json)]
        )
        let block = [Float](repeating: 0, count: 1 << 18)
        var left = layout.elementCount
        while left > 0 {
            try writer.append(Array(block[..<min(left, block.count)]))
            left -= min(left, block.count)
        }
        try writer.finish()
        return path
    }

    private static func policy(bytes: Int) throws -> (PolicyConfiguration, TensorLayout) {
        let contract = Contract(
            embodiment: "none",
            instruction: "instruction",
            action: ActionSpace(space: "none", dimensions: [.init(name: "x")]),
            state: [],
            cameras: []
        )
        for width in [4, 8, 16, 32, 64, 128, 256, 512, 1024] {
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
            // As the coordinator reads it.
            return (try PolicyConfiguration(json: configuration.json), configuration.layout)
        }
        throw CommandFailed(
            arguments: ["model", "\(bytes)"],
            outcome: .init(status: 1, output: "", error: "no policy has that size")
        )
    }

    deinit {
        for process in processes where process.isRunning { kill(process.processIdentifier, SIGKILL) }
        for process in processes { process.waitUntilExit() }
    }

    func path(_ name: String) -> String { directory.file(name) }
    func directoryName(_ site: Int) -> String { folderName(Self.sites[site]) }
    var operatorConfig: [String] { ["--config", path("operator/operator.toml")] }
    var data: String { path("coordinator/data") }
    var authority: String { path("pki/ca.pem") }

    func issue(_ identity: String, _ name: String, _ options: String...) throws {
        try kumiai(["pki", "issue", identity, "--ca", path("pki"), "--out", path(name)] + options)
    }

    func certificateAuthority() throws -> CertificateAuthority {
        try CertificateAuthority(
            certificate: Certificate(pem: directory.read("pki/ca.pem")),
            key: PrivateKey(pem: directory.read("pki/ca.key"))
        )
    }

    /// Writes another certificate for the same identity and key into a participant's directory. It ends, or begins, in
    /// this number of seconds, because `pki` counts only in days.
    func reissue(_ name: String, endingIn seconds: Int? = nil, beginningIn later: Int? = nil) throws {
        let former = try Certificate(pem: directory.read("\(name)/certificate.pem"))
        // A certificate is valid from an hour before it is issued, and for whole days after it.
        let days = seconds.map { max(1, ($0 + 86_399) / 86_400) } ?? 1
        let offset = seconds.map { $0 - days * 86_400 } ?? (later ?? 0) + 3600
        let now = ConsortiumFixture.systemTime()
        let time = Timestamp(milliseconds: UInt64(Int64(now.milliseconds) + Int64(offset) * 1000))
        let certificate = try certificateAuthority().issue(
            former.principal(),
            for: former.publicKey,
            days: days,
            at: time
        )
        try IdentityFile.replace(certificate.pem(), at: path("\(name)/certificate.pem"))
    }

    func edit(_ name: String, _ old: String, _ new: String) throws {
        let text = String(decoding: try directory.read(name), as: UTF8.self)
        try directory.write(name, Array(text.replacingOccurrences(of: old, with: new).utf8))
    }

    /// Runs a command that must succeed.
    @discardableResult
    func kumiai(_ arguments: String...) throws -> Shell.Outcome { try kumiai(arguments) }

    @discardableResult
    func kumiai(_ arguments: [String]) throws -> Shell.Outcome {
        let outcome = try attempt(arguments)
        guard outcome.status == 0 else { throw CommandFailed(arguments: arguments, outcome: outcome) }
        return outcome
    }

    /// Runs a command that may fail.
    func attempt(_ arguments: [String]) throws -> Shell.Outcome { try Shell.run([Shell.kumiai] + arguments) }

    // MARK: Processes

    func start(_ name: String, _ arguments: [String]) throws -> Process {
        // Opened for appending, so that the log is kept when its process is killed.
        let process = try Shell.start(
            ["bash", "-c", "exec \(Shell.kumiai) \(arguments.joined(separator: " ")) 2>> \(path(name)).log"],
            output: "/dev/null",
            error: "/dev/null"
        )
        processes.append(process)
        return process
    }

    func startCoordinator() throws -> Process {
        try start("coordinator", ["coordinator", "run", "--config", path("coordinator/coordinator.toml")])
    }
    func startWorker(_ site: Int) throws -> Process {
        try start(
            directoryName(site),
            ["worker", "run", "--log-level", "debug", "--config", path("\(directoryName(site))/worker.toml")]
        )
    }

    func log(_ name: String) -> String {
        (try? directory.read("\(name).log")).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// Opens the campaign as soon as the coordinator listens.
    func openCampaign() throws {
        for _ in 0..<100 {
            let outcome = try attempt(["campaign", "open", path("operator/plan.toml")] + operatorConfig)
            if outcome.status == 0 { return }
            guard outcome.status == 4 else { throw CommandFailed(arguments: ["campaign", "open"], outcome: outcome) }
            usleep(50_000)
        }
    }

    func status() throws -> [String: Any] {
        let outcome = try attempt(["coordinator", "status", "--json"] + operatorConfig)
        return (try? JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]) ?? [:]
    }

    var campaign: [String: Any] { ((try? status())?["campaign"] as? [String: Any]) ?? [:] }

    /// The activity that the first site reports.
    var siteActivity: String { (((try? status())?["sites"] as? [[String: Any]])?.first?["activity"] as? String) ?? "" }

    /// The progress that the first site reports, from 0 to 1.
    var siteProgress: Double { (((try? status())?["sites"] as? [[String: Any]])?.first?["progress"] as? Double) ?? 0 }

    func operatorDialer() throws -> Dialer { try dialer("operator") }

    /// A dialer with the certificate in a folder.
    func dialer(_ folder: String) throws -> Dialer {
        func bytes(_ name: String) throws -> [UInt8] { try directory.read("\(folder)/\(name)") }
        let context = try TLSContext(
            .client,
            chain: Certificate.chain(pem: bytes("certificate.pem")),
            key: PrivateKey(pem: bytes("key.pem")),
            roots: TrustRoots(pem: bytes("ca.pem"))
        )
        return Dialer(
            host: "127.0.0.1",
            port: port,
            context: context,
            consortium: "test.kumiai.example",
            group: MultiThreadedEventLoopGroup.singleton
        )
    }

    /// Waits until `holds` is true; returns `false` if that takes longer than `seconds`.
    func wait(seconds: Double = 60, _ holds: () throws -> Bool) rethrows -> Bool {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if try holds() { return true }
            usleep(30_000)
        }
        return false
    }

    func waitForEnd(seconds: Double = 60) -> Bool {
        wait(seconds: seconds) { ["completed", "stopped"].contains(campaign["phase"] as? String) }
    }

    func stop(_ process: Process) -> Int32 {
        process.terminate()
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// Cuts the release, stops the coordinator, and returns the audit's findings.
    func finish(_ coordinator: Process) throws -> Shell.Outcome {
        try kumiai(["release", "cut", "FY2027"] + operatorConfig)
        guard stop(coordinator) == 0 else {
            throw CommandFailed(
                arguments: ["stop"],
                outcome: Shell.Outcome(status: 1, output: "", error: log("coordinator"))
            )
        }
        return try attempt(["audit", "verify", data, "--ca", authority, "--json"])
    }

    func releaseDigest() throws -> String {
        try Shell.run(["sha256sum", "\(data)/releases/FY2027/model.safetensors"]).output.split(separator: " ").first
            .map(String.init) ?? ""
    }
}
