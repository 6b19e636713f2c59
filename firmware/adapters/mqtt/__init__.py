"""The module's MQTT client, a `BrokerPort`. No type of aiomqtt or Paho leaves this package."""

from firmware.adapters.mqtt.broker import MqttBroker
from firmware.adapters.mqtt.settings import BrokerMisconfigured, BrokerSettings

__all__ = ["BrokerMisconfigured", "BrokerSettings", "MqttBroker"]
