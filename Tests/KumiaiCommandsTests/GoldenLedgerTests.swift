import Audit
import Federation
import Foundation
import Ledger
import Releases
import TestKit
import Testing
import Wire

/// A ledger, its blobs, a release and the receipts of two sites, as Kumiai b118d57 wrote them: they must verify in
/// every later version.
///
/// Their keys were deleted; only the CA's certificate is kept.
@Suite struct GoldenLedgerTests {
    static let golden = Repository.path("Tests/KumiaiCommandsTests/Golden/b118d57")
    static let data = golden + "/data"
    static let authority = data + "/ca.pem"
    static let model = "b645924c95511217c6908c3b86ba8f90d209eaa48cbfc15c39b1aff5b417e6e3"

    private func kumiai(_ arguments: String...) throws -> Shell.Outcome { try Shell.run([Shell.kumiai] + arguments) }

    @Test func itVerifiesWithTheReceiptsOfItsSites() throws {
        let audit = try kumiai(
            "audit",
            "verify",
            Self.data,
            "--ca",
            Self.authority,
            "--witness",
            Self.golden + "/receipts/osaka",
            "--witness",
            Self.golden + "/receipts/turin"
        )
        #expect(audit.status == 0, "\(audit.output)")
        #expect(
            audit.output.contains("20 entries, 6 updates, 3 rounds, 13 blobs, 1 release, 6 witnesses"),
            "\(audit.output)"
        )
    }

    @Test func itsRoundsComeToTheSameBits() throws {
        let replay = try kumiai("audit", "replay", "--all", Self.data, "--ca", Self.authority)
        #expect(replay.status == 0 && replay.output.contains("identical  3 of 3 rounds"), "\(replay.output)")
    }

    /// An entry that is read and written again has the same bytes that were hashed and signed.
    @Test func itsEntriesAreEncodedAsTheyWere() throws {
        let copy = try LedgerCopy(directory: Self.data, authority: Self.authority)
        #expect(copy.entries.count == 20)
        for index in copy.entries.indices {
            #expect(try copy.entry(at: index).wireBytes == copy.entries[index].bytes, "entry \(index)")
        }
    }

    @Test func itsReleaseIsGenuineAndItsLineageFollows() throws {
        let release = Self.data + "/releases/FY2027"
        let shown = try kumiai("release", "show", release, "--verify", "--ca", Self.authority)
        #expect(
            shown.status == 0 && shown.output.contains("verified") && shown.output.contains(Self.model),
            "\(shown.output)"
        )
        // A lineage that is written again from the entries has the same bytes that were signed.
        let copy = try LedgerCopy(directory: Self.data, authority: Self.authority)
        let directory = ReleaseDirectory(path: release)
        let lineage = try Lineage(
            entries: copy.entries.indices.map { try copy.entry(at: $0) },
            of: #require(ModelName("FY2027")),
            treeHead: directory.treeHead()
        )
        #expect(try lineage.json == directory.lineage())
    }
}
