import Federation
import Foundation
import GRDB
import Synchronization

/// Entries in one SQLite file.
public final class SQLiteEntryStore: EntryStore {
    private let database: DatabaseQueue
    private let path: String
    private let isReadOnly: Bool
    /// The files that were opened: what is written to others by these names would not be read again.
    private let files = Mutex<[String: FileIdentity]>([:])
    /// What the files were like after the last write of this process, and the tree head that they held then.
    private let written = Mutex<(marks: [FileMark?], treeHead: String?)>(([], nil))

    public static let fileName = "ledger.sqlite"

    /// Opens or creates the file. With `readOnly`, the file must exist and is not changed.
    public init(path: String, readOnly: Bool = false) throws {
        self.path = path
        isReadOnly = readOnly
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.prepareDatabase { db in
            // Acknowledged means on the disk, also after a power failure.
            try db.execute(sql: "PRAGMA synchronous = FULL")
            if !readOnly { try db.execute(sql: "PRAGMA journal_mode = WAL") }
        }
        do {
            database = try DatabaseQueue(path: path, configuration: configuration)
            if !readOnly { try Self.create(database) }
            try Self.checkSchema(database, path)
        } catch let error as LedgerError {
            throw error
        } catch {
            throw LedgerError(.unreadable, "the ledger \(path) cannot be opened: \(Self.reason(error))")
        }
        if !readOnly {
            try requireWhole()
            noteWritten(try newestTreeHead())
        }
    }

    private var names: [String] { [path, path + "-wal"] }

    private func noteWritten(_ treeHead: String?) { written.withLock { $0 = (names.map(FileMark.init), treeHead) } }

    /// Throws where another program wrote into the files: a copy that was put in their place keeps their identity.
    ///
    /// A program that only moved the newest writes from one file into the other left the ledger as it was.
    private func requireSameContents() throws {
        let (marks, treeHead) = written.withLock { $0 }
        let found = names.map(FileMark.init)
        guard found != marks else { return }
        let other = try? SQLiteEntryStore(path: path, readOnly: true)
        defer { try? other?.close() }
        guard let other, let head = try? other.newestTreeHead(), head == treeHead, other.isUnder(head) else {
            throw LedgerError(
                .replaced,
                "the ledger's file \(path) was removed or replaced while it was in use: its contents are other ones"
            )
        }
        written.withLock { $0.marks = found }
    }

    /// Whether the entries are those of this tree head; reads all of them.
    private func isUnder(_ note: String) -> Bool {
        guard let entries = try? entries(), entries.allSatisfy(\.isIntact) else { return false }
        var tree = MerkleTree()
        for entry in entries { tree.append(leaf: entry.leaf) }
        let lines = note.split(separator: "\n", maxSplits: 3, omittingEmptySubsequences: false)
        return lines.count == 4 && lines[1] == "\(tree.count)"
            && lines[2] == Data(tree.root.bytes).base64EncodedString()
    }

    /// Throws where the file has anything but the two tables: a trigger or a view would change what is written and
    /// read.
    private static func checkSchema(_ database: DatabaseQueue, _ path: String) throws {
        let odd = try database.read { db in
            try String.fetchOne(
                db,
                sql:
                    """
                    SELECT type || ' ' || name FROM sqlite_master WHERE NOT (type = 'table' AND name IN ('entries', \
                    'tree_heads')) LIMIT 1
                    """
            )
        }
        guard let odd else { return }
        throw LedgerError(.tampered, "the ledger \(path) holds a \(DisplayText.escaped(odd)), which is not of a ledger")
    }

    /// Throws where the file, or the log of its newest writes, was removed or replaced since it was opened.
    ///
    /// SQLite goes on writing to a file that has lost its name, and all of it would be gone with the process.
    public func requireWhole() throws {
        try files.withLock { known in
            for name in [path, path + "-wal"] {
                let found = FileIdentity(name)
                if let expected = known[name] {
                    guard found == expected else {
                        throw LedgerError(
                            .replaced,
                            "the ledger's file \(name) was removed or replaced while it was in use"
                        )
                    }
                } else if let found {
                    known[name] = found
                }
            }
        }
    }

    private static func create(_ database: DatabaseQueue) throws {
        try database.write { db in
            try db.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS entries (position INTEGER PRIMARY KEY, bytes BLOB NOT NULL, leaf BLOB \
                    NOT NULL);
                    CREATE TABLE IF NOT EXISTS tree_heads (id INTEGER PRIMARY KEY CHECK (id = 1), note TEXT NOT NULL);
                    """
            )
        }
    }

    public func entries() throws -> [StoredEntry] {
        try reading { db in
            try Self.entries(
                Row.fetchCursor(db, sql: "SELECT position, bytes, leaf FROM entries ORDER BY position"),
                from: 0
            )
        }
    }

    public func entries(in range: Range<Int>) throws -> [StoredEntry] {
        if !isReadOnly { try requireWhole() }
        let entries = try reading { db in
            let sql = "SELECT position, bytes, leaf FROM entries WHERE position >= ? AND position < ? ORDER BY position"
            return try Self.entries(
                Row.fetchCursor(db, sql: sql, arguments: [range.lowerBound, range.upperBound]),
                from: range.lowerBound
            )
        }
        guard entries.count == range.count else {
            throw LedgerError(.tampered, "entry \(range.lowerBound + entries.count) of the ledger is missing")
        }
        return entries
    }

    private static func entries(_ rows: RowCursor, from start: Int) throws -> [StoredEntry] {
        var entries: [StoredEntry] = []
        while let row = try rows.next() {
            guard let position = Int.fromDatabaseValue(row[0]), position == start + entries.count,
                let bytes = Data.fromDatabaseValue(row[1]),
                let leaf = Data.fromDatabaseValue(row[2]).flatMap({ Digest(Array($0)) })
            else {
                throw LedgerError(
                    .tampered,
                    "entry \(start + entries.count) of the ledger is missing or has no leaf hash"
                )
            }
            entries.append(StoredEntry(bytes: Array(bytes), leaf: leaf))
        }
        return entries
    }

    public func newestTreeHead() throws -> String? {
        try reading { db in try String.fetchOne(db, sql: "SELECT note FROM tree_heads WHERE id = 1") }
    }

    public func append(_ entries: [StoredEntry], from index: Int, treeHead: String) throws {
        try requireWhole()
        try requireSameContents()
        do {
            try database.write { db in
                for (offset, entry) in entries.enumerated() {
                    try db.execute(
                        sql: "INSERT INTO entries (position, bytes, leaf) VALUES (?, ?, ?)",
                        arguments: [index + offset, Data(entry.bytes), Data(entry.leaf.bytes)]
                    )
                }
                try db.execute(
                    sql:
                        """
                        INSERT INTO tree_heads (id, note) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET note = \
                        excluded.note
                        """,
                    arguments: [treeHead]
                )
            }
        } catch let error as DatabaseError {
            let code: LedgerError.Code = error.resultCode == .SQLITE_FULL ? .full : .failed
            throw LedgerError(code, "the ledger cannot be written: \(Self.reason(error))")
        }
        // Nothing is acknowledged that went into a file without a name.
        try requireWhole()
        noteWritten(treeHead)
    }

    public func close() throws { try database.close() }

    /// SQLite's own words; GRDB adds the statement, which tells a user nothing.
    private static func reason(_ error: any Error) -> String {
        guard let error = error as? DatabaseError else { return "\(error)" }
        return "\(error.message ?? "no reason is known") (SQLite error \(error.resultCode.rawValue))"
    }

    private func reading<T>(_ body: (Database) throws -> T) throws -> T {
        do {
            return try database.read(body)
        } catch let error as DatabaseError {
            throw LedgerError(.tampered, "the ledger's file is damaged: \(Self.reason(error))")
        }
    }
}

/// How long a file is, and when it was last written.
private struct FileMark: Equatable, Sendable {
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    /// `nil` where nothing is at `path`.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        (size, seconds, nanoseconds) = (Int64(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
    }
}

/// Which file stands at a path: its device and number.
private struct FileIdentity: Equatable, Sendable {
    private let device: UInt64
    private let number: UInt64

    /// `nil` where nothing is at `path`.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        (device, number) = (UInt64(status.st_dev), UInt64(status.st_ino))
    }
}
