@testable import Demonstrations
import Foundation
import FuzzTargets
import Worker

/// `fuzz TARGET [libFuzzer's options and corpora]` fuzzes, if it was built for that (`make fuzz`);
/// `fuzz TARGET seeds DIRECTORY` writes the inputs to start from; `fuzz TARGET FILE…` reads files once.
@main
enum Fuzz {
    static func main() throws {
        let arguments = CommandLine.arguments
        if arguments.count > 1, arguments[1] == DemonstrationReader.verb {
            exit(DemonstrationReader.serve(Array(arguments.dropFirst(2))))
        }
        guard arguments.count > 1, let target = FuzzTarget.named(arguments[1]) else {
            print("usage: fuzz \(FuzzTarget.all.map(\.name).joined(separator: "|")) …")
            exit(64)
        }
        if arguments.count == 4, arguments[2] == "seeds" { return try writeSeeds(of: target, to: arguments[3]) }
        #if FUZZING
            run(target, Array(arguments.dropFirst(2)))
        #else
            for path in arguments.dropFirst(2) { target.run(Array(try Data(contentsOf: URL(fileURLWithPath: path)))) }
        #endif
    }

    private static func writeSeeds(of target: FuzzTarget, to directory: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for (index, seed) in try target.seeds().enumerated() {
            try Data(seed).write(to: URL(fileURLWithPath: "\(directory)/seed-\(index)"))
        }
    }

    #if FUZZING
        nonisolated(unsafe) private static var current = FuzzTarget.all[0]

        private static func run(_ target: FuzzTarget, _ options: [String]) {
            current = target
            let words = ["fuzz", "-max_len=\(target.maximumBytes)"] + options
            var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
            var count = Int32(words.count)
            pointers.withUnsafeMutableBufferPointer { buffer in
                var start = buffer.baseAddress
                exit(
                    runDriver(&count, &start) { data, count in
                        Fuzz.current.run(data.map { Array(UnsafeBufferPointer(start: $0, count: count)) } ?? [])
                        return 0
                    }
                )
            }
        }
    #endif
}

#if FUZZING
    /// libFuzzer's own main needs this symbol; this program's main runs first.
    @_cdecl("LLVMFuzzerTestOneInput")
    public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> Int32 { 0 }

    @_silgen_name("LLVMFuzzerRunDriver")
    private func runDriver(
        _ count: UnsafeMutablePointer<Int32>,
        _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
        _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
    ) -> Int32
#endif
