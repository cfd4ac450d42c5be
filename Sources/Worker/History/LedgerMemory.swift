import Blobs
import Federation
import Ledger
import Synchronization
import Wire

/// A site's memory of the coordinator's ledger: its key, the newest tree head that the site has seen, and its receipts.
///
/// These files are the site's evidence: files are added or moved aside, but never overwritten by contradicting ones.
///
/// All threads may read; only one thread at a time may change it.
package final class LedgerMemory: Sendable {
    private let disk: any Disk
    private let directory: String
    private let consortium: String
    private let held = Mutex(Held())

    private struct Held {
        /// By the file name without the suffix.
        var receipts: [String: Receipt] = [:]
        var seen: SignedTreeHead?
    }

    private var receipts: [String: Receipt] { held.withLock { $0.receipts } }
    private var seen: SignedTreeHead? { held.withLock { $0.seen } }

    private var receiptsFolder: String { directory + "/receipts" }
    private var lostFolder: String { directory + "/receipts-of-lost-entries" }
    private var acceptedFolder: String { directory + "/accepted-losses" }
    private var keyPath: String { Self.keyPath(in: directory) }
    private static func keyPath(in directory: String) -> String { directory + "/log-key" }

    /// Reads the ledger's public key that the site stored when it first connected.
    ///
    /// - Parameter directory: The site's data directory.
    /// - Returns: The key; `nil` if the site has not seen any ledger.
    /// - Throws: `BlobError` if the file is there but cannot be read: then no other key may be trusted.
    package static func knownLogKey(in directory: String) throws -> [UInt8]? {
        try SystemDisk().contents(of: keyPath(in: directory), atMost: 4096)
    }
    private var headPath: String { directory + "/tree-head" }

    package init(directory: String, consortium: String, disk: any Disk = SystemDisk()) throws {
        self.disk = disk
        self.directory = directory
        self.consortium = consortium
        try disk.makeDirectory(receiptsFolder)
        // The process that stored a file may have died before its name was durable. Files that are read here must be
        // durable.
        for folder in [directory, receiptsFolder, lostFolder, acceptedFolder] where !disk.names(in: folder).isEmpty {
            try disk.synchronise(directory: folder)
        }
        var receipts: [String: Receipt] = [:]
        for name in disk.names(in: receiptsFolder).sorted() where name.hasSuffix(Self.suffix) {
            let path = "\(receiptsFolder)/\(name)"
            guard let bytes = try disk.contents(of: path) else { continue }
            receipts[String(name.dropLast(Self.suffix.count))] = try evidence(path) { try Receipt(wireBytes: bytes) }
        }
        held.withLock { $0.receipts = receipts }
        if let key = try disk.contents(of: keyPath) {
            let newest = try newestHead(key)
            held.withLock { $0.seen = newest }
        }
    }

    /// Reads a file that must be valid; errors name the file.
    private func evidence<T>(_ path: String, _ read: () throws -> T) throws -> T {
        do { return try read() } catch {
            throw WorkerError(
                "\(path) cannot be read: \(error)",
                hint: "restore it from a backup: it is this site's evidence"
            )
        }
    }

    private static let suffix = ".receipt"

    // MARK: The key

    /// Keeps the ledger's key if it is the first one that this site has seen.
    ///
    /// - Throws: ``WorkerError`` if the site has seen another key, because then this is another ledger.
    package func pin(_ logKey: [UInt8]) throws {
        guard let known = try disk.contents(of: keyPath) else { return try disk.store(logKey, at: keyPath) }
        guard known == logKey else {
            throw WorkerError(
                "the key of the coordinator's ledger is not the one that this site has seen before",
                hint:
                    "ask the consortium why; if the consortium was founded again, move \(keyPath) and the receipts away"
            )
        }
    }

    // MARK: The head

    /// The newest tree head that this site has seen, as a signed note; empty if it has seen none.
    package var treeHead: String { seen?.note ?? "" }
    /// The number of entries under that tree head.
    package var seenEntries: UInt64 { UInt64(seen?.head.size ?? 0) }

    /// The largest of the stored tree head and those of the receipts.
    private func newestHead(_ key: [UInt8]) throws -> SignedTreeHead? {
        let kept = try disk.contents(of: headPath).map { note in
            try evidence(headPath) { try head(String(decoding: note, as: UTF8.self), key) }
        }
        let receipted = try receipts.map { name, receipt in
            try evidence("\(receiptsFolder)/\(name)\(Self.suffix)") { try head(receipt.treeHead, key) }
        }
        return (receipted + [kept].compactMap { $0 }).max { $0.head.size < $1.head.size }
    }

    private func head(_ note: String, _ key: [UInt8]) throws -> SignedTreeHead {
        try SignedTreeHead(note: note, origin: SignedTreeHead.origin(consortium: consortium), key: key)
    }

    private func keep(_ head: SignedTreeHead) throws {
        try disk.store(Array(head.note.utf8), at: headPath)
        held.withLock { $0.seen = head }
    }

    /// Compares the coordinator's ledger with what this site has seen of it. If the ledger extends it, keeps the new
    /// tree head.
    ///
    /// - Throws: ``WorkerError`` if the tree head is missing or its time is wrong; another error if it is not valid or
    ///   cannot be stored.
    package func compareHistory(_ welcome: Welcome) throws -> HistoryVerdict {
        guard !welcome.treeHead.isEmpty else {
            guard seen == nil else {
                throw WorkerError("the coordinator does not show its ledger's tree head, although it did before")
            }
            return .extends
        }
        let theirs = try head(welcome.treeHead, welcome.logKey)
        guard let seen else {
            try keep(theirs)
            return .extends
        }
        if MerkleTree.isConsistent(seen.head, theirs.head, proof: welcome.consistencyProof) {
            // A declaration of a loss explains all tree heads with an earlier time. If the time of a new tree head
            // could be earlier, an old declaration could explain later that its entries are missing.
            guard (theirs.head.time ?? Timestamp(milliseconds: 0)) >= (seen.head.time ?? Timestamp(milliseconds: 0))
            else {
                throw WorkerError(
                    "the coordinator's tree head has an earlier time than the one that this site has seen before",
                    hint: "ask the consortium's auditors"
                )
            }
            if theirs.head.size > seen.head.size { try keep(theirs) }
            return .extends
        }
        // The declaration must be in the same ledger as the tree head that the coordinator shows.
        guard let loss = welcome.loss, try head(loss.treeHead, welcome.logKey).head == theirs.head,
            let (declaration, time) = try declaration(loss, welcome.logKey),
            seen.head.isExplained(byLossOf: try head(declaration.lostTreeHead, welcome.logKey).head, declaredAt: time)
        else { return .isBehind(seen: seen.head.size, theirs: theirs.head.size) }
        return .lossDeclared(DeclaredLoss(declaration: declaration, entry: loss, isAccepted: isAccepted(loss)))
    }

    private func declaration(_ loss: Receipt, _ key: [UInt8]) throws -> (LossDeclaration, at: Timestamp)? {
        let entry = try loss.verify(consortium: consortium, logKey: key)
        guard case .lossDeclared(let declaration) = entry.body else { return nil }
        return (declaration, entry.at)
    }

    // MARK: Losses

    private func acceptedPath(_ loss: Receipt) -> String {
        "\(acceptedFolder)/\(loss.index)-\(MerkleTree.leafHash(loss.entry).short).loss"
    }
    private func isAccepted(_ loss: Receipt) -> Bool { disk.byteCount(acceptedPath(loss)) != nil }

    /// Stores a loss that the site's engineer can accept, once, with `kumiai worker accept-loss`.
    ///
    /// - Throws: An error if it cannot be stored.
    package func storeProposed(_ loss: DeclaredLoss) throws {
        try disk.makeDirectory(acceptedFolder)
        let path = acceptedPath(loss.entry) + Self.proposed
        if disk.byteCount(path) == nil { try disk.store(loss.entry.wireBytes, at: path) }
    }

    /// Returns the losses that were declared and that this site has not accepted yet.
    ///
    /// - Throws: An error if a file cannot be read or is not valid.
    package func proposedLosses() throws -> [DeclaredLoss] {
        guard let logKey = try disk.contents(of: keyPath) else { return [] }
        return try disk.names(in: acceptedFolder).filter { $0.hasSuffix(Self.proposed) }.sorted().compactMap { name in
            guard let bytes = try disk.contents(of: "\(acceptedFolder)/\(name)") else { return nil }
            let entry = try Receipt(wireBytes: bytes)
            guard let (declaration, _) = try declaration(entry, logKey) else { return nil }
            return DeclaredLoss(declaration: declaration, entry: entry, isAccepted: false)
        }
    }

    /// Records that the engineer accepts the declared loss.
    ///
    /// - Throws: An error if it cannot be stored.
    package func accept(_ loss: DeclaredLoss) throws {
        try disk.makeDirectory(acceptedFolder)
        try disk.store(loss.entry.wireBytes, at: acceptedPath(loss.entry))
        disk.remove(acceptedPath(loss.entry) + Self.proposed)
    }

    private static let proposed = ".proposed"

    /// Continues with the ledger after an accepted loss. The lost tree head is kept in another file.
    ///
    /// - Throws: An error if the tree head is not valid or cannot be stored.
    package func continueAfterLoss(_ welcome: Welcome) throws {
        if let seen {
            try disk.store(
                Array(seen.note.utf8),
                at: "\(directory)/tree-head-lost-\(seen.head.size)-\(seen.head.root.short)"
            )
        }
        try keep(try head(welcome.treeHead, welcome.logKey))
    }

    // MARK: Receipts

    package var receiptCount: Int { held.withLock { $0.receipts.count } }

    /// Returns the receipts of entries from `index` on, sorted by entry.
    package func receipts(from index: UInt64 = 0) -> [NamedReceipt] {
        receipts.filter { $0.value.index >= index }.sorted { $0.value.index < $1.value.index }.map {
            NamedReceipt(name: $0.key, receipt: $0.value)
        }
    }

    /// Returns the receipts that the site shows to the coordinator after this verdict.
    package func receipts(for verdict: HistoryVerdict) -> [NamedReceipt] {
        switch verdict {
        case .extends: []
        case .isBehind(_, let theirs): receipts(from: UInt64(theirs))
        case .lossDeclared(let loss): loss.isAccepted ? receipts() : []
        }
    }

    /// Keeps a receipt whose signature was checked. The first receipt of an update is never replaced: a different one
    /// for the same update, or one of another history than this site has seen, is stored as evidence.
    ///
    /// - Throws: ``WorkerError`` if the receipt contradicts what this site has seen; another error if it cannot be
    ///   stored.
    package func keep(_ receipt: Receipt, consistencyProof: [Digest], of update: SignedUpdate, logKey: [UInt8]) throws {
        let name = Self.name(update.manifest)
        let head = try head(receipt.treeHead, logKey)
        if let seen, !MerkleTree.isConsistent(seen.head, head.head, proof: consistencyProof) {
            let evidence = try keepAside(receipt, name)
            throw WorkerError(
                """
                the coordinator sent a receipt of another history than the ledger of \(seen.head.size) entries that \
                this site has seen
                """,
                hint: "it is kept only as evidence; show \(evidence) and \(headPath) to the consortium's auditors"
            )
        }
        if let held = receipts[name] {
            guard held.index != receipt.index || held.entry != receipt.entry else {
                // The same receipt, perhaps with a newer tree head.
                if head.head.size > seen?.head.size ?? 0 { try keep(head) }
                return
            }
            let evidence = try keepAside(receipt, name)
            throw WorkerError(
                """
                the coordinator sent two different receipts for round \(update.manifest.key): entry \(held.index) \
                before, entry \(receipt.index) now
                """,
                hint: "show both to the consortium's auditors: \(receiptsFolder)/\(name)\(Self.suffix) and \(evidence)"
            )
        }
        try disk.store(receipt.wireBytes, at: "\(receiptsFolder)/\(name)\(Self.suffix)")
        held.withLock { ($0.receipts[name], $0.seen) = (receipt, head) }
    }

    /// Stores a receipt that contradicts what this site has; returns the path.
    private func keepAside(_ receipt: Receipt, _ name: String) throws -> String {
        let evidence = "\(receiptsFolder)/\(name)-\(Digest(of: receipt.wireBytes).short)\(Self.suffix)-conflict"
        if disk.byteCount(evidence) == nil { try disk.store(receipt.wireBytes, at: evidence) }
        return evidence
    }

    package func hasReceipt(of update: SignedUpdate) -> Bool {
        held.withLock { $0.receipts[Self.name(update.manifest)] != nil }
    }

    /// Moves a receipt to another directory, because its entry was lost and the loss was declared and accepted.
    ///
    /// - Throws: An error if the file cannot be moved.
    package func setAside(_ name: String) throws {
        guard let receipt = receipts[name] else { return }
        try disk.makeDirectory(lostFolder)
        // A round can be lost more than once, with a different receipt each time.
        let target = "\(lostFolder)/\(name)-\(receipt.index)-\(MerkleTree.leafHash(receipt.entry).short)\(Self.suffix)"
        try disk.rename("\(receiptsFolder)/\(name)\(Self.suffix)", to: target)
        try disk.synchronise(directory: receiptsFolder)
        try disk.synchronise(directory: lostFolder)
        held.withLock { $0.receipts[name] = nil }
    }

    private static func name(_ manifest: UpdateManifest) -> String {
        "\(manifest.campaign)-\(manifest.key.round)-\(manifest.key.attempt)"
    }

    // MARK: Assignments

    /// Returns the assignment that this site may follow. A round for which it has a receipt is trained again only if
    /// the ledger proves that the update was lost.
    package func admitted(_ assignment: Assignment, site: SiteID, logKey: [UInt8]) -> Assignment {
        // A site keeps only the final models of campaigns in which it took part.
        if case .finished(let end, model: .some) = assignment,
            !receipts.keys.contains(where: { $0.hasPrefix("\(end.campaign)-") })
        {
            return .finished(end, model: nil)
        }
        guard case .train(let task) = assignment, let held = heldReceipt(of: task) else { return assignment }
        guard let lost = task.lostUpdate, lost.index > held.index,
            let entry = try? lost.verify(consortium: consortium, logKey: logKey),
            case .roundAbandoned(let abandonment) = entry.body, abandonment.key.round == task.key.round,
            abandonment.without.contains(site)
        else {
            return .rest(
                reason:
                    """
                    the coordinator asks again for round \(task.key.round), for which this site has a receipt \
                    (entry \(held.index)), and does not prove that the update was lost
                    """
            )
        }
        return assignment
    }

    /// The newest receipt for any attempt at the task's round.
    private func heldReceipt(of task: TrainingTask) -> Receipt? {
        let prefix = "\(task.campaign)-\(task.key.round)-"
        return receipts.filter { $0.key.hasPrefix(prefix) && Int($0.key.dropFirst(prefix.count)) != nil }.values.max {
            $0.index < $1.index
        }
    }
}

/// The result of comparing the coordinator's ledger with what this site has seen of it.
package enum HistoryVerdict: Equatable, Sendable {
    case extends
    /// The ledger is older, or another one: only receipts of the missing entries are sent.
    case isBehind(seen: Int, theirs: Int)
    case lossDeclared(DeclaredLoss)
}

/// A loss that the consortium has declared in its ledger.
package struct DeclaredLoss: Equatable, Sendable {
    package let declaration: LossDeclaration
    package let entry: Receipt
    package let isAccepted: Bool
}
