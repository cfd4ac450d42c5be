import ArgumentParser
import Federation
import Identity
import Releases
import Tensors
import Transport

struct ReleaseShowCommand: Command {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show what a release is and, with --verify, whether it is genuine.",
        discussion: """
            Exits with 3 if the signature is not valid or a file differs from what was signed, and with 6 if the \
            release was signed under another CA than --ca.
            """
    )

    @Argument(help: "The release's directory.", completion: .directory)
    var directory: String

    @Flag(help: "Check the signature and the digest of every file.")
    var verify = false

    @Option(
        help: ArgumentHelp("The consortium's CA certificate; with it, the release is verified.", valueName: "ca.pem"),
        completion: .file(extensions: ["pem", "crt", "cer"])
    )
    var ca: String?

    @OptionGroup var json: JSONOption

    struct Report: Encodable {
        let release: String
        let consortium: String
        let campaign: String
        let base: String
        let model: String
        /// The round that was released; absent: the campaign's last.
        let round: Int?
        let rounds: Int
        let updates: Int
        let sites: [String]
        let releasedAt: String
        let adapterRank: Int?
        let discardedEnergy: Double?
        let signer: String?
        let problem: String?
    }

    /// The report on a release whose lineage cannot be read.
    struct Broken: Encodable {
        let directory: String
        let problem: String
    }

    func execute() async throws {
        guard RegularFile.kind(of: directory) == .directory else {
            throw UsageError(
                "\(directory) is not a directory",
                hint: "name a release's directory, for example one that kumiai release fetch made"
            )
        }
        let release = ReleaseDirectory(path: directory)
        var signer: String?
        var problem: String?
        if verify || ca != nil {
            guard let ca else {
                throw UsageError("--verify needs the consortium's CA certificate", hint: "name it with --ca ca.pem")
            }
            let roots = try IdentityFile.roots(ca)
            do {
                signer = try release.verify(roots: roots).description
            } catch let error as IdentityError where error.isOfUnknownAuthority {
                throw UsageError(
                    "not verified: the release was not signed under the CA \(ca): \(error.detail)",
                    hint:
                        "--ca must name the CA of this consortium; if you are sure that it does, do not use this release"
                )
            } catch {
                problem = describe(error)
            }
        }
        // If verification failed, the rest is shown as far as it can be read.
        let summary: ReleaseDirectory.Summary
        do { summary = try release.summary() } catch  where problem != nil {
            if json.isOn {
                try Broken(directory: directory, problem: problem!).printJSON()
            } else {
                show(problem: problem!)
            }
            throw ExitStatus.tampered
        }
        let adapter = problem == nil ? try release.adapterReport() : try? release.adapterReport()
        let report = Report(
            release: summary.release,
            consortium: summary.consortium,
            campaign: summary.campaign,
            base: summary.base,
            model: summary.model,
            round: summary.round,
            rounds: summary.rounds,
            updates: summary.updates,
            sites: summary.sites,
            releasedAt: Format.time(summary.releasedAt),
            adapterRank: adapter?.rank,
            discardedEnergy: adapter?.discarded,
            signer: signer,
            problem: problem
        )
        if json.isOn { try report.printJSON() } else { show(report) }
        if problem != nil { throw ExitStatus.tampered }
    }

    private func show(_ report: Report) {
        Terminal.print(
            "release   \(Terminal.styled(report.release, .bold)) of \(report.consortium), \(report.releasedAt)"
        )
        Terminal.print(
            """
            base      \(report.base), campaign \
            \(report.campaign)\(report.round.map { ", round \($0)" } ?? "")
            """
        )
        Terminal.print("model     \(report.model)")
        Terminal.print(
            """
            lineage   \(counted(report.rounds, "round")), \(counted(report.updates, "update")) from \
            \(report.sites.joined(separator: ", "))
            """
        )
        if let rank = report.adapterRank, let discarded = report.discardedEnergy {
            Terminal.print(
                "adapter   rank \(rank), lacks \(Format.number(100 * discarded, digits: 3)) % of the change's energy"
            )
        }
        if let signer = report.signer {
            Terminal.print(
                Terminal.styled("verified", .green) + "  signed by \(signer); all files are unchanged since then"
            )
        }
        report.problem.map(show(problem:))
    }

    private func show(problem: String) { Terminal.print(Terminal.styled("TAMPERED", .red) + "  \(problem)") }
}

extension IdentityError {
    /// No trusted CA has the name and key of the certificate's issuer: OpenSSL searched for it and found none.
    fileprivate var isOfUnknownAuthority: Bool {
        code == .notTrusted && ["(unable to get", "(self-signed", "(self signed"].contains { detail.contains($0) }
    }
}
