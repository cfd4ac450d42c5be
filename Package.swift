// swift-tools-version: 6.2
import PackageDescription

// Tests run against the optimised build and reach inside it; make sets this. A package that depends on this one may not be
// given such flags.
let isTestable = Context.environment["KUMIAI_TESTABLE"] != nil
let settings: [SwiftSetting] =
    [.enableUpcomingFeature("ExistentialAny")] + (isTestable ? [.unsafeFlags(["-enable-testing"])] : [])

/// A room of the house: what it owns is said in CONTRIBUTING.md, what it may import stands here.
func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// Each room has one test target. What several of them need is in `TestKit`.
func tests(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.target(name: name), "TestKit"] + dependencies,
        exclude: exclude,
        swiftSettings: settings
    )
}

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioLocks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let sqlite: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

// For `make docs` alone, so that nobody else needs it.
let documentation: [Package.Dependency] =
    Context.environment["KUMIAI_DOCS"] == nil
    ? [] : [.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0")]

let package = Package(
    name: "kumiai",
    products: [
        .executable(name: "kumiai", targets: ["kumiai"]),
        // For programs that verify ledgers and releases; what the shells share among themselves is not part of it.
        .library(
            name: "Kumiai",
            targets: [
                "Federation", "Tensors", "Updates", "Aggregation", "Identity", "Ledger", "Blobs", "Releases",
                "Verification",
            ]
        ),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ] + documentation,
    targets: [
        // System libraries: a module map and a shim each.
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"])]),

        // C of our own: what protoc-c generates from proto/, what the C library hides from Swift, and the loops that
        // need the widest vectors.
        .target(name: "KumiaiProto", dependencies: ["CProtobufC"]),
        .target(name: "CPlatform"),
        .target(name: "CKernels"),

        // The core: values and decisions.
        room("Settings"),
        room("Federation", ["Settings"]),
        room("Tensors", ["CPlatform", "CKernels"]),
        room("Contracts", ["Federation", "Tensors"]),
        room("Updates", ["Contracts", "Federation", "Tensors", "CKernels"]),
        room("Aggregation", ["Contracts", "Federation", "Tensors", "Updates", "CKernels"]),

        // The edges: one library, one wrapper.
        .target(
            name: "Identity",
            dependencies: ["COpenSSL", "Federation"],
            resources: [.embedInCode("Profiles/kumiai.cnf")],
            swiftSettings: settings
        ),
        room("Wire", ["Federation", "KumiaiProto", "CProtobufC"]),
        room("Ledger", ["Federation", "Identity", "Wire", "Blobs", sqlite]),
        room("Blobs", ["CPlatform", "Federation", "Identity"]),
        room("LinearAlgebra", ["COpenBLAS"]),
        room("Demonstrations", ["Contracts", "Federation", "Tensors", "CHDF5", "CZlib", "CKernels"]),
        room("Policies", ["Contracts", "Tensors", "LinearAlgebra", "CKernels"]),
        room("Trainers", ["Contracts", "Demonstrations", "Federation", "Policies", "Tensors", log]),
        room("Protocol", ["Federation", "Wire"]),
        room(
            "Transport",
            ["CPlatform", "Federation", "Wire", "Protocol", "Identity", nioCore, nioPosix, nioLocks, log]
        ),
        room("Releases", ["Federation", "Identity", "LinearAlgebra", "Tensors", "Blobs"]),
        room(
            "Verification",
            ["Contracts", "Federation", "Tensors", "Updates", "Aggregation", "Identity", "Ledger", "Blobs", "Releases"]
        ),

        // The shells: effects, files, processes. They never import one another.
        room(
            "Coordinator",
            [
                "Federation", "Tensors", "Updates", "Contracts", "Identity", "Wire", "Protocol", "Ledger", "Blobs",
                "Transport", "Releases", "Verification", "Settings",
                nioCore, nioPosix, nioLocks, log,
            ]
        ),
        room(
            "Worker",
            [
                "Federation", "Tensors", "Updates", "Identity", "Wire", "Protocol", "Ledger", "Blobs", "Contracts",
                "Demonstrations", "Trainers",
                "Transport", "Verification", nioCore,
                nioPosix, nioLocks, log,
            ]
        ),
        room("Audit", ["Federation", "Tensors", "Identity", "Wire", "Ledger", "Blobs", "Releases", "Verification"]),

        // Not shipped: the machines, ledger and stores in a world where everything goes wrong.
        room(
            "Simulation",
            [
                "Federation", "Tensors", "Updates", "Identity", "Wire", "Protocol", "Ledger", "Blobs", "Contracts",
                "Coordinator", "Worker",
            ]
        ),
        .executableTarget(name: "simulate", dependencies: ["Simulation", arguments], swiftSettings: settings),

        // The command line: one folder a noun, one file a verb.
        room(
            "KumiaiCommands",
            [
                "Federation", "Tensors", "Updates", "Identity", "Wire", "Ledger", "Blobs", "LinearAlgebra", "Contracts",
                "Demonstrations", "Policies", "Trainers",
                "Transport", "Releases", "Settings",
                "Coordinator", "Worker", "Audit", arguments, log, nioCore, nioPosix, nioLocks,
            ]
        ),
        .executableTarget(name: "kumiai", dependencies: ["KumiaiCommands"], swiftSettings: settings),

        .target(name: "Kumiai", path: "Sources/Documentation", exclude: ["Kumiai.docc"]),

        // Not shipped: the figures of `make bench`, each beside what it is compared with.
        .systemLibrary(
            name: "COpenSSLBaseline",
            path: "Benchmarks/Sources/COpenSSLBaseline",
            pkgConfig: "openssl",
            providers: [.apt(["libssl-dev"])]
        ),
        .executableTarget(
            name: "KumiaiBenchmarks",
            dependencies: [
                "COpenSSLBaseline", "Federation", "Tensors", "Contracts", "Aggregation", "Identity", "Wire", "Blobs",
                "LinearAlgebra", "Demonstrations", "Policies", "Trainers", "Transport", "Protocol", "Coordinator",
                "Worker",
                log, nioPosix,
            ],
            path: "Benchmarks/Sources/KumiaiBenchmarks",
            swiftSettings: settings
        ),

        // Tests.
        .target(
            name: "DemonstrationFixtures",
            dependencies: ["Contracts", "Demonstrations", "Policies", "Tensors", "TestKit", "CHDF5"],
            path: "Tests/DemonstrationFixtures",
            swiftSettings: settings
        ),
        .target(
            name: "TestKit",
            dependencies: ["Federation", "Identity"],
            path: "Tests/TestKit",
            swiftSettings: settings
        ),
        tests("Settings"),
        tests("Federation", ["Settings"]),
        tests("Tensors"),
        tests("Updates", ["CKernels", "Contracts", "Federation", "Tensors"]),
        tests("Aggregation", ["Contracts", "Federation", "Tensors", "Updates"], exclude: ["Reference"]),
        tests("Identity", ["Federation"]),
        tests("Wire", ["Federation"]),
        tests("Ledger", ["Federation", "Identity", "Wire"]),
        tests("Blobs", ["Federation", "Identity"]),
        tests("LinearAlgebra"),
        tests("Contracts", ["DemonstrationFixtures", "Tensors"]),
        tests(
            "Demonstrations",
            ["DemonstrationFixtures", "Contracts", "Policies", "Trainers", "Tensors", "CHDF5"],
            exclude: ["Aloha"]
        ),
        tests(
            "Policies",
            ["DemonstrationFixtures", "Contracts", "Demonstrations", "LinearAlgebra", "Tensors"],
            exclude: ["Reference"]
        ),
        tests("Trainers", ["DemonstrationFixtures", "Contracts", "Demonstrations", "Policies", "Tensors"]),
        tests("Protocol", ["Federation", "Wire"]),
        tests("Transport", ["Federation", "Identity", "Wire", nioCore, nioPosix, log]),
        tests("Releases", ["Federation", "Identity", "Tensors"]),
        tests("Verification", ["Aggregation", "Blobs", "Federation", "Identity", "Tensors", "Updates"]),
        tests(
            "Coordinator",
            ["Blobs", "Federation", "Identity", "Ledger", "Protocol", "Tensors", "Verification", "Wire"]
        ),
        tests("Worker", ["Blobs", "Federation", "Identity", "Ledger", "Protocol", "Wire"]),
        tests("Simulation", ["Blobs", "Federation", "Identity", "Ledger"]),
        // Readers of bytes from outside, as a fuzzer calls them; `make fuzz` builds them with one.
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Federation", "Tensors", "Updates", "Identity", "Wire", "Ledger", "Contracts", "Demonstrations",
                "Policies", "Trainers", "Transport", "Worker",
                "KumiaiCommands", "TestKit", nioCore,
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            path: "Tests/FuzzTargets",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "fuzz",
            dependencies: ["FuzzTargets", "Demonstrations", "Worker"],
            path: "Tests/fuzz",
            swiftSettings: settings
        ),
        tests("FuzzTargets"),
        // The shells together, as real processes.
        tests(
            "KumiaiCommands",
            [
                "kumiai", "Aggregation", "Audit", "Blobs", "Coordinator", "Federation", "Identity", "Contracts",
                "Demonstrations", "Policies", "Trainers",
                "Ledger", "Tensors", "Updates", "Transport",
                "Releases", "Wire", "Worker", nioPosix, log,
            ],
            exclude: ["Golden", "Python"]
        ),
    ],
    swiftLanguageModes: [.v6]
)
