import Blobs
import Federation
import Foundation
import Identity
import Ledger
import Releases
import Tensors
import Verification
import Wire

/// The findings of a verification: everything in the copy that is not valid.
package struct VerificationReport: Equatable, Sendable {
    package struct Finding: Equatable, Sendable {
        /// What the finding is about: `entry 17`, `blob 3f…`, `ledger.sqlite`, `release FY2027`.
        package let subject: String
        package let message: String
    }

    package internal(set) var findings: [Finding] = []
    /// What was not checked, and why.
    package internal(set) var notes: [String] = []
    package internal(set) var entries = 0
    package internal(set) var updates = 0
    package internal(set) var rounds = 0
    package internal(set) var blobs = 0
    package internal(set) var releases = 0
    /// The number of witnesses, which are receipts and tree heads of others, that this ledger extends.
    package internal(set) var witnesses = 0

    package var isSound: Bool { findings.isEmpty }
}

/// Verifies a copy offline: every hash, every signature, and that each entry follows from those before it.
package struct CopyVerification {
    private let copy: LedgerCopy
    private var signatures: EntrySignatures
    private var report = VerificationReport()
    private var state = ConsortiumState()
    private var referenced: Set<Digest> = []
    /// The size of each blob, if an entry states it: a file of another size is not read.
    private var byteCounts: [Digest: UInt64] = [:]
    /// Whether each entry followed from those before it; otherwise it is unknown which blobs must be present.
    private var isFolded = true
    /// Whether each entry has its stored hash. If not, the tree and the file differ too, which is not reported as
    /// another finding.
    private var isIntact = true
    private var accepted: [(index: Int, update: AcceptedUpdate, plan: Plan?)] = []
    private var tree = MerkleTree()
    /// The latest time of all entries.
    private var latest = Timestamp(milliseconds: 0)

    private init(_ copy: LedgerCopy) {
        self.copy = copy
        signatures = EntrySignatures(trusting: copy.roots)
    }

    /// Verifies a copy.
    ///
    /// - Parameters:
    ///   - copy: The copy.
    ///   - witnesses: Receipts and tree heads that others got from the coordinator.
    ///   - progress: Called with the number of items checked and the total number.
    /// - Returns: The report.
    /// - Throws: `AuditError` or `BlobError` if the copy cannot be read.
    package static func run(_ copy: LedgerCopy, witnesses: [Witness] = [], progress: (Int, Int) -> Void = { _, _ in })
        throws -> VerificationReport
    {
        var verification = CopyVerification(copy)
        // The copy's own CA is not its ledger's. If the auditor named a CA, `LedgerCopy` has already thrown this error.
        if let problem = copy.authorityProblem {
            verification.addFinding("ca.pem", problem)
            return verification.report
        }
        verification.checkEntries()
        verification.checkTreeHead()
        verification.checkSeal()
        verification.check(witnesses)
        try verification.checkBlobs(progress)
        verification.checkReleases()
        return verification.report
    }

    private mutating func addNote(_ text: String) {
        if !report.notes.contains(text) { report.notes.append(text) }
    }

    private mutating func addFinding(_ subject: String, _ message: String) {
        report.findings.append(VerificationReport.Finding(subject: subject, message: message))
    }

    // MARK: Entries

    private mutating func checkEntries() {
        for (index, stored) in copy.entries.enumerated() {
            report.entries += 1
            guard stored.isIntact else {
                addFinding("entry \(index)", "its bytes or its leaf hash were changed")
                (isFolded, isIntact) = (false, false)
                continue
            }
            do {
                let entry = try Entry(wireBytes: stored.bytes)
                try signatures.check(entry, after: state)
                count(entry, index)
                latest = max(latest, entry.at)
                // After an invalid entry, what follows cannot be checked.
                if isFolded { try state.apply(entry) }
            } catch let violation as LedgerViolation {
                addFinding("entry \(index)", violation.message)
                isFolded = false
            } catch {
                addFinding("entry \(index)", "\(error)")
                isFolded = false
            }
        }
        if copy.entries.isEmpty { addFinding("ledger.sqlite", "the ledger is empty") }
    }

    private mutating func count(_ entry: Entry, _ index: Int) {
        if let notice = entry.notice { addNote("entry \(index): \(notice)") }
        switch entry.body {
        case .modelRegistered(_, let model, _):
            addReference(to: BlobReference(digest: model.digest, byteCount: model.byteCount))
        case .updateAccepted(let accepted):
            report.updates += 1
            addReference(
                to: BlobReference(
                    digest: accepted.update.manifest.update,
                    byteCount: accepted.update.manifest.updateByteCount
                )
            )
            self.accepted.append((index, accepted, state.campaign?.plan))
        case .roundCommitted(let commit):
            report.rounds += 1
            referenced.formUnion(commit.result.blobs)
            addReference(to: BlobReference(digest: commit.result.model, byteCount: commit.result.modelByteCount))
            commit.result.adapter.map { addReference(to: $0) }
        default: break
        }
    }

    private mutating func addReference(to blob: BlobReference) {
        referenced.insert(blob.digest)
        byteCounts[blob.digest] = blob.byteCount
    }

    // MARK: The tree and the file

    private mutating func check(_ witnesses: [Witness]) {
        guard let genesis = state.genesis else { return }
        for witness in witnesses {
            do {
                try witness.check(
                    against: copy.entries,
                    tree: tree,
                    consortium: genesis.consortium,
                    logKey: genesis.logKey
                )
                report.witnesses += 1
            } catch {
                if let loss = witness.loss(
                    among: state.losses,
                    in: copy.entries,
                    consortium: genesis.consortium,
                    logKey: genesis.logKey
                ) {
                    addNote("\(witness.name) belongs to the history that entry \(loss.index) declares lost: \(error)")
                } else {
                    addFinding(witness.name, "\(error)")
                }
            }
        }
    }

    private mutating func checkTreeHead() {
        for entry in copy.entries { tree.append(leaf: MerkleTree.leafHash(entry.bytes)) }
        guard let genesis = state.genesis else {
            return addFinding("ledger.sqlite", "its tree head cannot be checked without the founding entry")
        }
        guard let note = copy.treeHead else { return addFinding("ledger.sqlite", "the tree head is missing") }
        do {
            let head = try SignedTreeHead(
                note: note,
                origin: SignedTreeHead.origin(consortium: genesis.consortium),
                key: genesis.logKey
            ).head
            guard head.size == tree.count else {
                return addFinding("tree head", "it covers \(head.size) entries, but the ledger holds \(tree.count)")
            }
            guard head.root == tree.root || !isIntact else {
                return addFinding("tree head", "its root does not match the entries")
            }
            guard head.time == nil || head.time == latest || !isFolded else {
                return addFinding("tree head", "its time is not the latest of the entries")
            }
        } catch {
            addFinding("tree head", "\(error)")
        }
    }

    private mutating func checkSeal() {
        guard let genesis = state.genesis else { return }
        guard FileManager.default.fileExists(atPath: copy.sealPath) else {
            addNote(
                """
                no ledger.seal: the copy was made while the coordinator ran; entries were checked, unused bytes of \
                the database file were not, and entries after the last one may be missing
                """
            )
            return
        }
        do {
            try LedgerSeal.verify(
                copy.sealPath,
                ledger: copy.ledgerPath,
                size: copy.entries.count,
                origin: SignedTreeHead.origin(consortium: genesis.consortium),
                logKey: genesis.logKey
            )
        } catch let error as LedgerError where error.code == .tampered && "\(error)".contains("file was changed") {
            if isIntact { addFinding("ledger.sqlite", error.message) }
        } catch {
            addFinding("ledger.seal", "\(error)")
        }
    }

    // MARK: Blobs and releases

    private mutating func checkBlobs(_ progress: (Int, Int) -> Void) throws {
        let store = copy.blobs
        let present = Set(try store.all())
        // Blobs that were pruned or count in no committed round may be missing, but those that are present must be
        // intact.
        let required = isFolded ? referenced.intersection(state.neededBlobs) : referenced
        let all = present.union(required).sorted()
        let pruned = state.prunedBlobs
        let uncounted = referenced.subtracting(all).subtracting(pruned)
        if !uncounted.isEmpty {
            addNote("accepted updates that count in no committed round and are not in the copy: \(uncounted.count)")
        }
        if !pruned.isEmpty {
            addNote(
                """
                pruned after their retention period, so verified but no longer replayable: \
                \(counted(state.archive.prunedCount, "round"))
                """
            )
        }
        // Blobs with a finding, so that each is reported only once.
        var faulty: Set<Digest> = []
        for (index, digest) in all.enumerated() {
            progress(index, all.count)
            do {
                try store.verify(digest, byteCount: byteCounts[digest])
                report.blobs += 1
            } catch let error as BlobError {
                faulty.insert(digest)
                let what =
                    switch error.code {
                    case .missing: "the ledger names it, but it is missing"
                    case .damaged: Self.damage(store.byteCount(of: digest), byteCounts[digest])
                    default: "it cannot be read: \(error.message)"
                    }
                addFinding("blob \(digest.hex)", what)
            }
        }
        progress(all.count, all.count)
        for (index, accepted, plan) in accepted
        where store.contains(accepted.update.manifest.update) && !faulty.contains(accepted.update.manifest.update) {
            checkUpdate(accepted, plan, index, store)
        }
    }

    private static func damage(_ size: UInt64?, _ expected: UInt64?) -> String {
        guard let size, let expected, size != expected else { return "its bytes do not match the hash in its name" }
        return "it has \(size) bytes, but the ledger says \(expected)"
    }

    /// Inspects an update's file, which must match its entry.
    private mutating func checkUpdate(_ accepted: AcceptedUpdate, _ plan: Plan?, _ index: Int, _ store: BlobStore) {
        let manifest = accepted.update.manifest
        do {
            guard let plan, let base = plan.model?.digest, store.contains(base) else {
                addNote(
                    "the base model of \(manifest.campaign) is not in the copy: its updates' values were not checked"
                )
                return
            }
            let layout = try SafetensorsFile(store, base).layout
            switch try UpdateContents(plan.training, plan.compression, base: layout).inspect(manifest, in: store) {
            case .sound(let norm) where norm == accepted.norm: break
            case .sound(let norm):
                addFinding("entry \(index)", "its update has a norm of \(norm), but the entry says \(accepted.norm)")
            case .unsound(let refusal):
                addFinding("entry \(index)", "its update does not match the entry: \(refusal.detail)")
            case .unavailable(let reason): addFinding("entry \(index)", "its update cannot be read: \(reason)")
            }
        } catch { addFinding("entry \(index)", "its update cannot be read: \(error)") }
    }

    private mutating func checkReleases() {
        for cutting in state.releases {
            let release = ReleaseDirectory(path: "\(copy.releasesPath)/\(cutting.name)")
            guard FileManager.default.fileExists(atPath: release.path) else {
                addNote("release \(cutting.name) is in the ledger but not in the copy")
                continue
            }
            do {
                let entries = try copy.entries.indices.map { try copy.entry(at: $0) }
                try ReleaseProvenance.verify(release, cutting, entries: entries, roots: signatures.roots)
                report.releases += 1
            } catch {
                addFinding("release \(cutting.name)", "\(error)")
            }
        }
        for name in (try? FileManager.default.contentsOfDirectory(atPath: copy.releasesPath).sorted()) ?? []
        where isFolded && !name.hasSuffix(ReleaseDirectory.draftSuffix)
            && !state.releases.contains(where: { $0.name.text == name })
        {
            addFinding("release \(name)", "it is not in the ledger")
        }
    }
}

extension VerificationReport {
    /// Creates the report for a copy whose ledger cannot be read.
    package init(unreadable message: String) { findings = [Finding(subject: "ledger.sqlite", message: message)] }
}
