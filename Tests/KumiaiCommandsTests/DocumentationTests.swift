import Foundation
import TestKit
import Testing

/// What the documentation shows is what is there.
struct DocumentationTests {
    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: Repository.path(path), encoding: .utf8)
    }

    @Test func theArticleOnTheLedgerShowsTheProgramOfTheExample() throws {
        let article = try text("Sources/Documentation/Kumiai.docc/TheLedger.md")
        #expect(article.contains("```python\n\(try text("Examples/verify-ledger/verify_ledger.py"))```"))
    }

    @Test func theProgramOfTheExampleVerifiesAReleaseOfAnEarlierVersionAndFindsAChange() throws {
        let golden = Repository.path("Tests/KumiaiCommandsTests/Golden/b118d57/data")
        let directory = try TemporaryDirectory()
        let copy = directory.file("copy")
        try FileManager.default.copyItem(atPath: golden, toPath: copy)
        func verify(_ receipts: [String] = []) throws -> Shell.Outcome {
            let program = Repository.path("Examples/verify-ledger/verify_ledger.py")
            return try Shell.run(["python3", program, copy, "--ca", golden + "/ca.pem"] + receipts)
        }
        #expect(try verify().status == 0)
        let folder = Repository.path("Tests/KumiaiCommandsTests/Golden/b118d57/receipts/osaka")
        let receipts = (1...3).map { "\(folder)/FY2026-FY2027-\($0)-1.receipt" }
        // As a shell expands *.receipt, and with the option before each.
        for options in [["--receipt"] + receipts, receipts.flatMap { ["--receipt", $0] }] {
            let outcome = try verify(options)
            #expect(outcome.status == 0 && outcome.output.contains("; 3 receipts\n"), "\(outcome)")
        }
        let change = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()"
        let statement = "UPDATE entries SET bytes = zeroblob(60) WHERE position = 3"
        #expect(try Shell.run(["python3", "-c", change, copy + "/ledger.sqlite", statement]).status == 0)
        #expect(try verify().status == 1)
    }
}
