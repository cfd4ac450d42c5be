import Federation
import Identity
import TestKit
import Testing

@testable import Ledger
@testable import Simulation

/// What every backend of the ledger must do. A further backend is a further case.
struct LedgerBackendTests {
    enum Kind: CaseIterable { case sqlite, simulated }

    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// - Returns: An empty backend, and what opens it again after it was closed.
    private func make(_ kind: Kind) throws -> (any LedgerBackend, reopen: () throws -> any LedgerBackend) {
        switch kind {
        case .sqlite:
            let path = directory.file("ledger.sqlite")
            return (try SQLiteLedger(path: path), { try SQLiteLedger(path: path) })
        case .simulated:
            let backend = SimulatedLedgerBackend(SimulatedDisk(), syncs: true)
            return (
                backend,
                {
                    // Only what is durable outlasts the process and its machine.
                    backend.powerFailed()
                    return backend
                }
            )
        }
    }

    private func entries(_ range: Range<Int>) -> [StoredEntry] {
        range.map { StoredEntry(Array("entry \($0) \(String(repeating: "x", count: $0 % 50))".utf8)) }
    }

    @Test(arguments: Kind.allCases) func anEmptyLedgerHasNoEntriesAndNoTreeHead(kind: Kind) throws {
        let (backend, reopen) = try make(kind)
        #expect(try backend.count() == 0 && backend.newestTreeHead() == nil && backend.entries(in: 0..<0).isEmpty)
        try backend.close()
        #expect(try reopen().count() == 0)
    }

    @Test(arguments: Kind.allCases) func whatWasAppendedIsReadInAnyPages(kind: Kind) throws {
        let (backend, reopen) = try make(kind)
        let all = entries(0..<700)
        var start = 0
        for size in [1, 299, 0, 400] {
            try backend.append(Array(all[start..<start + size]), from: start, treeHead: "head of \(start + size)")
            start += size
            #expect(try backend.count() == start && backend.newestTreeHead() == "head of \(start)")
        }
        try backend.close()
        let again = try reopen()
        #expect(try again.count() == 700 && again.newestTreeHead() == "head of 700")
        for range in [0..<1, 255..<257, 300..<700, 700..<700] {
            #expect(try again.entries(in: range) == Array(all[range]), "\(range)")
        }
        var read: [StoredEntry] = []
        try again.forEachEntry { index, entry in
            #expect(index == read.count)
            read.append(entry)
        }
        #expect(read == all)
        try again.requireWhole()
    }

    @Test(arguments: Kind.allCases) func entriesThatAreNotThereAreAnError(kind: Kind) throws {
        let (backend, _) = try make(kind)
        try backend.append(entries(0..<3), from: 0, treeHead: "three")
        for range in [2..<4, 3..<4, 10..<11] {
            #expect(throws: LedgerError(.tampered, "")) { try backend.entries(in: range) }
        }
    }

    @Test(arguments: Kind.allCases) func anAppendIsAtItsPositionOrNowhere(kind: Kind) throws {
        let (backend, reopen) = try make(kind)
        try backend.append(entries(0..<3), from: 0, treeHead: "three")
        // The second of them is there already: neither may be stored, and the tree head stays.
        #expect(throws: LedgerError.self) { try backend.append(entries(2..<5), from: 2, treeHead: "five") }
        #expect(try backend.count() == 3 && backend.newestTreeHead() == "three")
        try backend.append(entries(3..<4), from: 3, treeHead: "four")
        try backend.close()
        let again = try reopen()
        #expect(try again.entries(in: 0..<4) == entries(0..<4) && again.newestTreeHead() == "four")
    }

    @Test(arguments: Kind.allCases) func aLedgerOverItVerifiesAfterReopening(kind: Kind) throws {
        let (backend, reopen) = try make(kind)
        let key = try PrivateKey.generate(.ed25519)
        func open(_ backend: any LedgerBackend) throws -> Ledger {
            try Ledger(consortium: "t", store: backend, key: key)
        }
        let ledger = try open(backend)
        let at = Timestamp(milliseconds: 1_780_000_000_000)
        let genesis = Entry(
            at: at,
            .founded(
                Genesis(
                    consortium: "t",
                    authority: Digest(of: "ca"),
                    logKey: ledger.publicKey,
                    coordinatorCertificate: [],
                    logKeySignature: []
                )
            )
        )
        try ledger.append([genesis])
        let head = ledger.head
        try ledger.close()
        let again = try open(reopen())
        #expect(again.head == head)
        #expect(try again.receipt(of: 0).verify(consortium: "t", logKey: key.publicKey.ed25519Bytes()) == genesis)
    }
}
