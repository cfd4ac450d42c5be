import ArgumentParser
import Coordinator
import Federation
import Foundation
import Identity
import Releases
import Transport
import Worker

/// The options of `release fetch` and `model fetch`: who fetches what, and to where.
struct FetchOptions: ParsableArguments {
    @Argument(help: "The model's or release's name, for example FY2027.")
    var name: String

    @Option(
        help: ArgumentHelp("Where to put it; default: a directory of that name here.", valueName: "directory"),
        completion: .directory
    )
    var out: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "operator.toml or worker.toml; default: what KUMIAI_CONFIG names, or one of them in this directory.",
            valueName: "file"
        ),
        completion: .file(extensions: ["toml"])
    )
    var config: String?

    @Option(help: "The largest download to accept, in GB (10^9 bytes); default: as worker.toml says, otherwise 64.")
    var largestModelGb: Double?

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let name: String
        let directory: String
        let model: String
        let files: [String]
        let entry: UInt64
        let signer: String?
    }

    func validate() throws {
        guard (0.0001...1e6).contains(largestModelGb ?? 64) else {
            throw ValidationError("--largest-model-gb: expected 0.0001 to 1000000")
        }
    }

    /// Fetches and verifies, including a release's signature; refuses a model if a release is expected.
    func fetch(expectsRelease: Bool) async throws {
        guard let name = ModelName(name) else { throw UsageError("\"\(name)\" is no valid model or release name") }
        let target = out ?? name.text
        guard !FileManager.default.fileExists(atPath: target) else {
            throw UsageError("\(target) exists; it was not overwritten", hint: "choose another path with --out")
        }
        let participant = try Participant(config)
        let policy = participant.download
        let client = ModelClient(try participant.dialer(), knownLogKey: try participant.knownLogKey, download: policy)
        let listing = try await client.listing(of: name)
        let isRelease = listing.files.contains { $0.path == ModelSignature.fileName }
        guard isRelease || !expectsRelease else {
            throw UsageError("\(name) is a model, not a release", hint: "kumiai model fetch \(name)")
        }
        var signer: String?
        if let hours = policy.hours, !hours.contains(minute: DailyHours.minuteOfDay(at: systemTime().milliseconds)) {
            Terminal.printNotice("worker.toml allows downloads only from \(hours): waiting")
        }
        try await showingProgress(client) {
            try await client.fetch(
                listing,
                to: target,
                largestBytes: largestModelGb.map { UInt64($0 * 1e9) } ?? participant.largestModelBytes
            ) { draft in
                guard isRelease else { return }
                let release = ReleaseDirectory(path: draft)
                signer = try release.verify(roots: participant.roots()).description
                guard try release.summary().release == name.text else {
                    throw UsageError("the coordinator sent another release instead of \(name)")
                }
            }
        }
        let model = listing.files.first { $0.path == "model.safetensors" }!.blob.digest
        let report = Report(
            name: name.text,
            directory: target,
            model: model.hex,
            files: listing.files.map(\.path),
            entry: listing.proof.index,
            signer: signer
        )
        if json.isOn { return try report.printJSON() }
        Terminal.print("fetched \(name) into \(target): \(counted(listing.files.count, "file")), model \(model.short)")
        Terminal.print("verified: ledger entry \(listing.proof.index)\(signer.map { ", signed by \($0)" } ?? "")")
    }

    private func showingProgress(_ client: ModelClient, _ body: () async throws -> Void) async throws {
        let drawing = Task {
            var bar = ProgressBar("fetching", unit: "%")
            while !Task.isCancelled {
                bar.update(Int(100 * client.progress), of: 100)
                try? await Task.sleep(for: .milliseconds(200))
            }
            bar.finish()
        }
        defer { drawing.cancel() }
        try await body()
    }
}

/// A site, an operator or an auditor, as its configuration file describes it.
struct Participant {
    private enum Kind {
        case site(WorkerConfiguration)
        case overseer(OperatorOptions)
    }

    private let kind: Kind
    private let path: String

    /// `path`: operator.toml or worker.toml; `nil`: search for one.
    init(_ path: String?) throws {
        let names = path.map { [$0] } ?? [OperatorFile.defaultPath, WorkerFile.defaultPath]
        guard let found = names.first(where: { FileManager.default.fileExists(atPath: $0) }) else {
            throw UsageError(
                "found no configuration: there is no \(names.joined(separator: " and no "))",
                hint: "name operator.toml or worker.toml with --config"
            )
        }
        self.path = found
        if let worker = try? TOMLFile<WorkerFile>(found) {
            kind = .site(try WorkerFile.load(worker.path))
        } else {
            var options = OperatorOptions()
            options.config = found
            kind = .overseer(options)
        }
    }

    func dialer() throws -> Dialer {
        switch kind {
        case .site(let configuration):
            try WorkerFile.naming(path) { try WorkerIdentity(configuration, at: systemTime()) }.dialer(configuration)
        case .overseer(let options): try options.dialer()
        }
    }

    /// The ledger's public key that a site stored when it first connected.
    var knownLogKey: [UInt8]? {
        get throws {
            guard case .site(let configuration) = kind else { return nil }
            return try LedgerMemory.knownLogKey(in: configuration.dataDirectory)
        }
    }

    /// A site's download limits apply to its engineer's commands too.
    var download: TransferPolicy {
        guard case .site(let configuration) = kind else { return .unlimited }
        return configuration.download
    }

    var largestModelBytes: UInt64 {
        guard case .site(let configuration) = kind else { return 64_000_000_000 }
        return configuration.largestModelBytes
    }

    func roots() throws -> TrustRoots {
        switch kind {
        case .site(let configuration):
            try IdentityFile.roots(configuration.authority, revocations: configuration.revocations)
        case .overseer(let options): try IdentityFile.roots(options.authority, revocations: nil)
        }
    }
}
