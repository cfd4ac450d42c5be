// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "verify-release",
    dependencies: [
        // In a program of your own: .package(url: "https://…/kumiai", from: "1.0.0")
        .package(name: "kumiai", path: "../..")
    ],
    targets: [
        .executableTarget(
            name: "VerifyRelease",
            dependencies: [.product(name: "Kumiai", package: "kumiai")]
        )
    ],
    swiftLanguageModes: [.v6]
)
