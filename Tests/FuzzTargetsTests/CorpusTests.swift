import Foundation
import FuzzTargets
import TestKit
import Testing

/// Reads every input of the corpus again, in the build that users get.
@Suite struct CorpusTests {
    @Test(arguments: FuzzTarget.all.map(\.name))
    func theCorpusIsReadWithoutACrashAndLeavesNothingBehind(name: String) throws {
        let target = try #require(FuzzTarget.named(name))
        let directory = Repository.path("Tests/Corpus/\(name)")
        let names = try FileManager.default.contentsOfDirectory(atPath: directory)
        #expect(!names.isEmpty)
        for file in names { target.run(Array(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(file)")))) }
        for seed in try target.seeds() {
            target.run(seed)
            // Each seed is cut at many places and has one byte changed at many places.
            for index in stride(from: 0, to: seed.count, by: max(1, seed.count / 64)) {
                target.run(Array(seed[..<index]))
                var spoilt = seed
                spoilt[index] ^= 0x81
                target.run(spoilt)
            }
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: "/dev/shm").filter {
            $0 == "kumiai-fuzz-\(getpid())"
        }
        #expect(left.isEmpty)
    }
}
