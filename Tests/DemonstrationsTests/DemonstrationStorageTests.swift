import DemonstrationFixtures
import Foundation
import TestKit
import Testing

/// Only values that were written in the file itself are read; no other file is opened.
@Suite struct DemonstrationStorageTests {
    let directory: TemporaryDirectory
    let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.file("recorded.hdf5")
    }

    private func expect(_ problem: String?, says parts: String..., at location: SourceLocation = #_sourceLocation) {
        for part in parts {
            #expect(problem?.contains(part) == true, "\(problem ?? "no error")", sourceLocation: location)
        }
    }

    // MARK: Never written

    @Test func chunksThatWereNeverWrittenAreRefused() {
        Recordings.write(path) { $0.replaceState(of: "demo_1", Recordings.eef(), .chunked(rows: 2, written: 2)) }
        expect(
            Recordings.problem(path),
            says: "demo_1: /data/demo_1/obs/eef has the shape [6, 3], but only 1 of its 3 chunks were written"
        )
    }

    @Test func chunksThatWereAllWrittenAreRead() {
        Recordings.write(path) { $0.replaceActions(of: "demo_1", Recordings.actions(), .chunked(rows: 4, written: 6)) }
        #expect(Recordings.problem(path) == nil)
    }

    @Test func aDatasetOfWhichNothingWasWrittenIsRefused() {
        Recordings.write(path) { $0.replaceActions(of: "demo_0", Recordings.actions(), .chunked(rows: 2, written: 0)) }
        expect(
            Recordings.problem(path),
            says: "/data/demo_0/actions has the shape [6, 2], but none of it was written"
        )
    }

    @Test func stepsThatHoldNothingButZerosAreRefused() {
        func cut(_ values: [Float], _ width: Int) -> [Float] {
            values.prefix(4 * width) + [Float](repeating: 0, count: 2 * width)
        }
        Recordings.write(path) { writer in
            writer.replaceActions(of: "demo_1", cut(Recordings.actions(), 2))
            writer.replaceState(of: "demo_1", cut(Recordings.eef(), 3))
        }
        expect(Recordings.problem(path), says: "demo_1: steps 4 to 5 contain only zeros")
        // A robot may wait at its origin.
        let waiting = directory.file("waiting.hdf5")
        func late(_ values: [Float], _ width: Int) -> [Float] {
            [Float](repeating: 0, count: 2 * width) + values.dropFirst(2 * width)
        }
        Recordings.write(waiting) { writer in
            writer.replaceActions(of: "demo_1", late(Recordings.actions(), 2))
            writer.replaceState(of: "demo_1", late(Recordings.eef(), 3))
        }
        #expect(Recordings.remarks(waiting) == ["steps before the end contain only zeros: demo_1 (steps 0 to 1)"])
        // A robot may stand still.
        let still = directory.file("still.hdf5")
        Recordings.write(still) { $0.replaceActions(of: "demo_1", cut(Recordings.actions(), 2)) }
        #expect(Recordings.remarks(still) == ["the last actions are all zeros: demo_1 (2 of 6 steps)"])
    }

    @Test func stepsThatHoldTheWritersFillValueAreRefused() {
        Recordings.write(path) {
            $0.replaceActions(of: "demo_1", Recordings.actions(), .chunked(rows: 4, written: 5), fill: 0.75)
        }
        expect(
            Recordings.problem(path),
            says: "demo_1: /data/demo_1/actions has only its fill value 0.75 in steps 5 to 5"
        )
    }

    /// Zeros in one dataset may be real values, or the library's default for values that were never written, so they
    /// are reported.
    @Test func zerosOfOneDatasetForSeveralStepsAreShown() {
        func blank(_ values: [Float], _ width: Int, _ steps: Range<Int>) -> [Float] {
            values.enumerated().map { steps.contains($0.offset / width) ? 0 : $0.element }
        }
        let text = "a dataset contains only zeros for several steps, or in the last step: was it recorded?: "
        let cases: [(String, (HDF5Writer) -> Void)] = [
            (
                "/data/demo_1/actions (steps 1 to 3)",
                { $0.replaceActions(of: "demo_1", blank(Recordings.actions(), 2, 1..<4)) }
            ),
            (
                "/data/demo_1/actions (steps 0 to 5)",
                { $0.replaceActions(of: "demo_1", blank(Recordings.actions(), 2, 0..<6)) }
            ),
            (
                "/data/demo_1/actions (steps 5 to 5)",
                { $0.replaceActions(of: "demo_1", blank(Recordings.actions(), 2, 5..<6)) }
            ),
            (
                "/data/demo_1/obs/eef (steps 4 to 5)",
                { $0.replaceState(of: "demo_1", blank(Recordings.eef(), 3, 4..<6)) }
            ),
        ]
        for (index, (place, edit)) in cases.enumerated() {
            let path = directory.file("\(index).hdf5")
            Recordings.write(path, edit)
            #expect(Recordings.remarks(path) == [text + place])
        }
    }

    @Test func namesOfAnyLengthAreRead() {
        for (index, storage) in [
            HDF5Writer.Storage.contiguous, .chunked(rows: 1, written: 2), .chunked(rows: 2, written: 2),
        ].enumerated() {
            let path = directory.file("\(index).hdf5")
            Recordings.write(path) { writer in
                writer.remove("/mask/train")
                writer.variableNames("/mask/train", ["demo_0", "demo_1"], storage)
            }
            #expect(Recordings.problem(path) == nil)
        }
    }

    // MARK: Links

    @Test func linksToOtherFilesAreRefused() throws {
        let other = directory.file("other.hdf5")
        Recordings.write(other)
        let places: [(String, (HDF5Writer) -> Void)] = [
            ("/data/demo_1", { $0.externalLink("/data/demo_1", to: "/data/demo_1", in: other) }),
            (
                "/data/demo_1/actions",
                { $0.externalLink("/data/demo_1/actions", to: "/data/demo_1/actions", in: other) }
            ),
            ("/data/demo_1/obs", { $0.externalLink("/data/demo_1/obs", to: "/data/demo_1/obs", in: other) }),
            ("/mask", { $0.externalLink("/mask", to: "/mask", in: other) }),
            ("/data", { $0.externalLink("/data", to: "/data", in: other) }),
        ]
        for (index, (place, link)) in places.enumerated() {
            let path = directory.file("\(index).hdf5")
            Recordings.write(path) { writer in
                writer.remove(place)
                link(writer)
            }
            expect(Recordings.problem(path), says: "\(place) is a link to another file, which is not followed")
        }
    }

    @Test func softLinksAreFollowedAndDoNotLeadOut() {
        Recordings.write(path) { writer in
            writer.remove("/data/demo_1/actions")
            writer.softLink("/data/demo_1/actions", to: "../demo_2/./actions")
            writer.softLink("/data/demo_1/fine", to: "/data/demo_0/actions")
        }
        // HDF5 has no "..".
        expect(Recordings.problem(path), says: "/data/demo_1/actions is missing")
        let inside = directory.file("inside.hdf5"), outside = directory.file("outside.hdf5")
        Recordings.write(inside) { writer in
            writer.remove("/data/demo_1/obs/eef")
            writer.softLink("/data/demo_1/obs/eef", to: "/data/demo_2/./obs/eef")
            writer.replaceActions(of: "demo_1", Recordings.actions().map { -$0 })
        }
        #expect(Recordings.problem(inside) == nil)
        Recordings.write(outside) { writer in
            writer.remove("/data/demo_1/obs/eef")
            writer.softLink("/data/demo_1/obs/eef", to: "/away/eef")
            writer.externalLink("/away", to: "/data/demo_1/obs", in: inside)
        }
        expect(Recordings.problem(outside), says: "/away is a link to another file")
    }

    /// For Swift, a slash with a combining mark after it is one character, which is not equal to a slash.
    @Test(arguments: ["\u{301}", "\u{200D}", "\u{FE0F}", "\u{1F3FB}", "\u{3099}"])
    func noMarkAfterASlashHidesALink(mark: String) {
        let other = directory.file("other.hdf5"), masked = directory.file("masked.hdf5")
        Recordings.write(other) { $0.hardLink("/\(mark)eef", to: "/data/demo_1/obs/eef") }
        Recordings.write(path) { writer in
            writer.remove("/data/demo_1/obs/eef")
            writer.externalLink("/away", to: "/", in: other)
            writer.softLink("/data/demo_1/obs/eef", to: "/away/\(mark)eef")
        }
        expect(Recordings.problem(path), says: "/away is a link to another file")
        Recordings.write(masked) { $0.replaceNames("/mask/train", ["demo_0", "x/\(mark)y"]) }
        expect(Recordings.problem(masked), says: "which is not the name of a demonstration")
    }

    // MARK: Damaged

    /// Without the check, the library would read values from the memory after the chunk.
    @Test(arguments: [1, 20, 47, 49, 4000]) func aChunkThatDoesNotUnpackToItsSizeIsRefused(byteCount: Int) {
        Recordings.write(path) {
            $0.replaceActions(of: "demo_1", Recordings.actions(), .packed([UInt8](repeating: 7, count: byteCount)))
        }
        expect(Recordings.problem(path), says: "/data/demo_1/actions is damaged: its chunk at [0, 0]")
    }

    @Test func aChunkThatUnpacksToItsSizeIsRead() {
        let bytes = Recordings.actions().map { -$0 }.withUnsafeBytes { [UInt8]($0) }
        Recordings.write(path) { $0.replaceActions(of: "demo_1", Recordings.actions(), .packed(bytes)) }
        #expect(Recordings.problem(path) == nil)
    }

    @Test func chunksThatAreMuchLargerThanTheirDatasetAreRefused() {
        Recordings.write(path) {
            $0.replaceActions(of: "demo_1", Recordings.actions(), .chunked(rows: 4 << 20, written: 6))
        }
        expect(
            Recordings.problem(path),
            says: "/data/demo_1/actions has the shape [6, 2] and chunks that are too large"
        )
    }

    @Test func softLinksThatGoInCirclesEnd() {
        Recordings.write(path) { writer in
            writer.remove("/data/demo_1/actions")
            writer.softLink("/data/demo_1/actions", to: "other")
            writer.softLink("/data/demo_1/other", to: "actions")
        }
        expect(Recordings.problem(path), says: "/data/demo_1/actions leads through more than 16 links")
    }

    @Test func storageInOtherFilesIsRefused() {
        Recordings.write(path) {
            $0.replaceActions(of: "demo_1", Recordings.actions(), .external(directory.file("raw")))
        }
        expect(
            Recordings.problem(path),
            says: "demo_1: /data/demo_1/actions has external storage: its values are in other files"
        )
    }

    @Test func virtualDatasetsAreRefused() {
        Recordings.write(path) {
            $0.replaceActions(of: "demo_1", Recordings.actions(), .virtual("/data/demo_2/actions"))
        }
        expect(Recordings.problem(path), says: "demo_1: /data/demo_1/actions is a virtual dataset")
    }

    @Test(arguments: [
        (32_000, "lzf, HDF5 filter 32000"), (32_001, "blosc, HDF5 filter 32001"), (40_000, "HDF5 filter 40000"),
    ])
    func filtersThatAreMissingAreNamed(filter: Int32, name: String) {
        // The rate is missing as well: one error names everything that does not fit.
        Recordings.write(path, rate: nil) { $0.replaceState(of: "demo_0", Recordings.eef(), .filtered(filter)) }
        expect(
            Recordings.problem(path),
            says: "/data/demo_0/obs/eef is compressed with \(name)",
            "cannot check that the data"
        )
    }

    // MARK: Not files

    @Test func whatIsNoFileIsRefusedAtOnce() throws {
        let pipe = directory.file("pipe")
        try #require(mkfifo(pipe, 0o600) == 0)
        expect(Recordings.problem(pipe), says: "\(pipe) is a FIFO, not a file")
        for device in ["/dev/zero", "/dev/null"] {
            expect(Recordings.problem(device), says: "\(device) is a character device")
        }
        expect(Recordings.problem("\(path)\0.hdf5"), says: "NUL character")
        // Also in place of an episode.
        let episodes = try TemporaryDirectory()
        try FileManager.default.copyItem(
            atPath: DemonstrationTests.aloha + "/episode_0.hdf5",
            toPath: episodes.file("episode_2.hdf5")
        )
        try #require(mkfifo(episodes.file("episode_1.hdf5"), 0o600) == 0)
        expect(Recordings.problem(episodes.path, Shapes.aloha), says: "episode_1.hdf5 is a FIFO")
    }

    @Test func anEpisodeCountsOnce() throws {
        let episode = DemonstrationTests.aloha + "/episode_0.hdf5"
        for number in ["0", "3"] {
            try FileManager.default.copyItem(
                atPath: DemonstrationTests.aloha + "/episode_\(number == "0" ? 0 : 1).hdf5",
                toPath: directory.file("episode_\(number).hdf5")
            )
        }
        #expect(Recordings.problem(directory.path, Shapes.aloha) == nil)
        try FileManager.default.copyItem(atPath: episode, toPath: directory.file("episode_9.hdf5"))
        expect(
            Recordings.problem(directory.path, Shapes.aloha),
            says: "episode_9.hdf5: it is held out, but episode_0.hdf5 is the same demonstration"
        )
        unlink(directory.file("episode_9.hdf5"))
        for name in ["episode_1.h5", "Episode_1.HDF5", "backup.hdf5"] {
            try FileManager.default.copyItem(atPath: episode, toPath: directory.file(name))
            expect(Recordings.problem(directory.path, Shapes.aloha), says: "contains \(name), which would not be read")
            unlink(directory.file(name))
        }
        try FileManager.default.createSymbolicLink(
            atPath: directory.file("episode_1.hdf5"),
            withDestinationPath: directory.file("episode_3.hdf5")
        )
        expect(
            Recordings.problem(directory.path, Shapes.aloha),
            says: "episode_1.hdf5 and ",
            "episode_3.hdf5 are the same file"
        )
        unlink(directory.file("episode_1.hdf5"))
        try FileManager.default.copyItem(atPath: episode, toPath: directory.file("episode_03.hdf5"))
        expect(
            Recordings.problem(directory.path, Shapes.aloha),
            says: "episode_03.hdf5 and episode_3.hdf5 have the same number"
        )
    }
}
